"""How much one step changes the cosine: exactly, and by the simple bound with its limits."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, PURPLE, SKY, VERMILION
from figures._captions import listed
from normtheory.claims.step_change import best_rate, change, simple_bound

RATES = ((0.1, BLUE), (0.5, GREEN), (1.0, PURPLE))


def draw() -> Figure:
    """The change against the cosine; where the simple bound is one.

    Returns:
        The figure.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.9))
    _curves(left)
    _region(right)
    return figure


def caption() -> str:
    """What the panels show."""
    return (
        "One step of a pair of equal norms on the attraction loss, exactly: nothing is random. (a) "
        "Change of the cosine by the cosine before, at effective rates "
        f"x = {listed(x for x, _ in RATES)}: exact (lines) and by the simple bound B (dashed), "
        "which is none where orange. (b) Where B bounds the change, over cosine and effective "
        "rate: blue, where the cosine after the step is not negative; orange, where B is too small."
    )


def _curves(axes: Axes) -> None:
    c = np.linspace(-1, 1, 801)
    s = np.sqrt(1 - c**2)
    for x, color in RATES:
        exact, simple = change(c, s, x), simple_bound(c, s, x)
        axes.plot(c, exact, color=color, label=f"x = {x:g}")
        axes.plot(c, simple, "--", lw=1, color=color)
        axes.plot(c, np.where(exact > simple, simple, np.nan), color=ORANGE, lw=3.5, zorder=1)
    axes.plot([], [], "--", lw=1, color=BLACK, label="B = x sin²φ (2 − x cos φ)")
    axes.plot([], [], color=ORANGE, lw=3.5, label="B too small: no bound")
    axes.axhline(0, color=BLACK, lw=0.6)
    axes.set(xlabel="cosine before the step, c = cos φ", ylabel="change in one step, c′ − c")
    axes.set_ylim(-0.1, 3.1)
    axes.legend(loc="upper center", ncol=2, columnspacing=1.2)


def _region(axes: Axes) -> None:
    c, x = np.meshgrid(np.linspace(-1, 1, 601)[1:-1], np.linspace(0, 3, 601)[1:])
    after = c + change(c, np.sqrt(1 - c**2), x)
    axes.contourf(c, x, after, levels=[-2, 0, 2], colors=[ORANGE, SKY], alpha=0.35)
    axes.contour(c, x, after, levels=[0], colors=[BLACK], linewidths=1.2)
    line = np.linspace(-1, 1, 400)[1:]
    axes.plot(line, best_rate(line), color=VERMILION)
    axes.plot(line[line > 0.3], 1 / line[line > 0.3], ":", color=BLUE)
    axes.text(-0.27, 1.5, "best step:\nx = 1/(1 + c)", color=VERMILION, va="center", fontsize=7)
    axes.text(0.5, 2.35, "no change:\nxc = 1", color=BLUE, va="center", fontsize=7)
    axes.text(0.3, 0.3, "B bounds the change\n(c′ ≥ 0)", ha="center", va="center", fontsize=7)
    axes.text(-0.76, 0.17, "B too small\n(c′ < 0)", ha="center", va="center", fontsize=7)
    axes.set(xlim=(-1, 1), ylim=(0, 3))
    axes.set(xlabel="cosine before the step, c", ylabel="effective rate x = γ/ρ²")
    axes.grid(visible=False)
