"""The field of the cosine gradient round a target, and why a step along it must lengthen."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

import normtheory as nt
from figures import BLACK, BLUE, GREEN, PAGE, VERMILION
from figures._captions import listed

TARGET = np.array([1.0, 0.0])
RADII = (0.75, 1.25, 1.75, 2.25)
START = 1.0 * np.array([np.cos(2.6), np.sin(2.6)])
RATE = 0.8  # large, so that the steps can be seen to leave their circle
STEPS = 6
TRIANGLE = {"norm": 1.2, "rate": 0.9}


def trajectory(start: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """Exact SGD steps on minus the cosine similarity to the target.

    Args:
        start: first point, shape (2,).
        rate: γ.
        steps: how many.

    Returns:
        The points, shape (steps + 1, 2).
    """
    points = [start]
    for _ in range(steps):
        points.append(points[-1] + rate * nt.cosine_gradient(points[-1], TARGET))
    return np.array(points)


def draw() -> Figure:
    """The field with a trajectory; one step and its right triangle.

    Returns:
        The figure.
    """
    figure, (field, step) = plt.subplots(1, 2, figsize=(PAGE, 3.1), width_ratios=(1.35, 1))
    _field(field)
    _triangle(step)
    return figure


def caption() -> str:
    """What the panels show."""
    return (
        "The gradient of the cosine similarity to a target, d = 2; exact, nothing is random. (a) "
        f"The field at norms {listed(RADII)}, and {STEPS} steps of SGD at rate γ = {RATE:g} from "
        f"norm {float(np.linalg.norm(START)):g}; dashed: the circle of that norm. (b) One step "
        f"from norm {TRIANGLE['norm']:g} at γ = {TRIANGLE['rate']:g}, with its right angle: the "
        "new vector is the longest side."
    )


def _arrow(axes: Axes, tail: np.ndarray, head: np.ndarray, color: str) -> None:
    axes.add_patch(
        FancyArrowPatch(
            tuple(tail),
            tuple(head),
            arrowstyle="-|>",
            mutation_scale=8,
            shrinkA=0,
            shrinkB=0,
            color=color,
            lw=1.4,
        )
    )


def _field(axes: Axes) -> None:
    turn = np.linspace(0, 2 * np.pi, 200)
    angle = np.linspace(0, 2 * np.pi, 25)[:-1]
    for radius in RADII:
        axes.plot(radius * np.cos(turn), radius * np.sin(turn), color="0.85", lw=0.7, zorder=0)
    z = np.concatenate([r * np.stack([np.cos(angle), np.sin(angle)], axis=-1) for r in RADII])
    gradient = nt.cosine_gradient(z, np.broadcast_to(TARGET, z.shape))
    axes.quiver(
        *z.T, *gradient.T, color=BLUE, angles="xy", scale_units="xy", scale=2.2, width=4.5e-3
    )
    path = trajectory(START, RATE, STEPS)
    first = np.linalg.norm(START)
    axes.plot(first * np.cos(turn), first * np.sin(turn), "--", color=VERMILION, lw=0.9)
    axes.plot(*path.T, "o-", color=VERMILION, ms=3, lw=1.2)
    axes.text(
        -0.93,
        0.42,
        "start",
        color=VERMILION,
        fontsize=7,
        ha="right",
        va="center",
        bbox={"fc": "white", "ec": "none", "pad": 0.8},
    )
    _arrow(axes, np.zeros(2), 0.5 * TARGET, BLACK)
    axes.text(0.25, -0.26, "target", ha="center", fontsize=7)
    axes.plot(0, 0, "o", color=BLACK, ms=2.5)
    axes.set(aspect="equal", xlim=(-2.75, 2.75), ylim=(-2.55, 2.55), xlabel="$z_1$", ylabel="$z_2$")
    axes.set_title("gradient: across $z$, as long as sin φ / ‖$z$‖")
    axes.grid(visible=False)


def _triangle(axes: Axes) -> None:
    rate, angle = TRIANGLE["rate"], 1.15
    z = TRIANGLE["norm"] * np.array([0.0, 1.0])
    target = np.array([np.sin(angle), np.cos(angle)])
    after = z + rate * nt.cosine_gradient(z, target)
    turn = np.linspace(-0.12, angle + 0.1, 60)
    radius = float(np.linalg.norm(z))
    axes.plot(radius * np.sin(turn), radius * np.cos(turn), "--", color="0.6", lw=0.9)
    _arrow(axes, np.zeros(2), z, BLACK)
    _arrow(axes, z, after, BLUE)
    _arrow(axes, np.zeros(2), after, VERMILION)
    _arrow(axes, np.zeros(2), 1.45 * target, GREEN)
    corner = 0.07
    axes.plot([corner, corner, 0], [radius, radius - corner, radius - corner], color=BLACK, lw=0.8)
    axes.text(-0.05, 0.6, "ρ", ha="right")
    axes.text(after[0] / 2, radius + 0.05, "γ‖$g$‖ = γ sin φ / ρ", color=BLUE, ha="center")
    axes.text(after[0] + 0.04, after[1], "$z'$", color=VERMILION, va="center")
    axes.text(-0.03, radius + 0.05, "$z$", ha="right")
    axes.text(0.55 * float(after[0]) + 0.07, 0.55 * after[1] - 0.06, "ρ′", color=VERMILION)
    axes.text(1.45 * target[0], 1.45 * target[1] - 0.13, "target", color=GREEN, ha="center")
    axes.text(
        0.98, 0.12, "ρ′² = ρ² + γ²‖$g$‖² ≥ ρ²", transform=axes.transAxes, ha="right", fontsize=9
    )
    axes.set(aspect="equal", xlim=(-0.22, 1.5), ylim=(-0.12, 1.45))
    axes.set_xlabel("in the plane of $z$ and its target")
    axes.set_ylabel("along $z$")
    axes.set_title("a step across $z$ must lengthen it")
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
