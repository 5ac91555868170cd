"""Norm growth by update frequency: ρ⁴ grows linearly, so classes end in the ratio (p₁/p₂)^¼."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, VERMILION, Row
from figures._captions import count, settings

COLOURS = (BLUE, GREEN, ORANGE, VERMILION)


def draw(result: xr.Dataset) -> Figure:
    """Norms of the classes against the step; the ratio of classes at the end.

    Args:
        result: of the experiment ``quartic_growth``.

    Returns:
        The figure.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.7), width_ratios=(1.5, 1))
    for i, frequency in enumerate(result.frequency.values):
        one, color = result.sel(frequency=frequency), COLOURS[i % len(COLOURS)]
        name = f"frequency {frequency:g}, p = {float(one.probability):.3f}"
        norm = one.fourth_power**0.25
        bars = 2 * norm * one.fourth_power_error / (4 * one.fourth_power)
        marks = {"fmt": "o", "ms": 3, "mfc": "none", "elinewidth": 0.8, "color": color}
        left.errorbar(one.step, norm, bars, label=name, **marks)
        left.plot(one.step, one.predicted**0.25, color=color, lw=1.1)
    step = result.step.values[len(result.step) // 2 :]
    guide = float(result.predicted[-1].max()) ** 0.25 * 1.35 * (step / step[-1]) ** 0.25
    left.plot(step, guide, ":", color=BLACK, lw=1)
    left.text(step[0], guide[0] * 1.25, "slope ¼", ha="center", fontsize=7)
    left.set(xscale="log", yscale="log", xlabel="step", ylabel=r"norm $(\mathrm{E}\,\rho^4)^{1/4}$")
    left.legend(
        title="SGD by autodiff; lines: E ρ⁴ = ρ₀⁴ + 2γ²p E[s²] t",
        title_fontsize=7,
        alignment="left",
    )
    ratio = result.frequency.values / float(result.frequency[0])
    fine = np.geomspace(ratio.min(), ratio.max(), 100)
    right.plot(fine, fine**0.25, color=BLUE, lw=1.1, label=r"$(p/p_1)^{1/4}$")
    right.plot(fine, fine**0.5, color=BLUE, lw=1.1, ls="--", label=r"$(p/p_1)^{1/2}$")
    shown = (
        (_class_ratios(result), "o", VERMILION, "one at a time"),
        (_batch_ratios(result, "independent"), "x", GREEN, "batches, independent"),
        (_batch_ratios(result, "coherent"), "s", ORANGE, "batches, coherent"),
    )
    for (norm, error), marker, color, name in shown:
        right.errorbar(
            ratio, norm, yerr=2 * error, fmt=marker, ms=3.5, mfc="none", capsize=2.5, color=color,
            label=name,
        )  # fmt: skip
    right.set(
        xscale="log", yscale="log", xlabel="update frequency $p/p_1$", ylabel=r"norm $\rho/\rho_1$"
    )
    right.set_xticks(ratio, [f"{r:g}" for r in ratio])
    ticks = np.array([1.0, 1.4, 2.0, 2.8])
    right.set_yticks(ticks, [f"{t:g}" for t in ticks])
    right.minorticks_off()
    right.legend()
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many embeddings and runs."""
    s = settings(result)
    return (
        "Embeddings that are pulled to fresh random directions, in classes that are updated with "
        f"different probabilities p; d = {s.dimension}, norm {s.norm:g} at the start, "
        f"seed {s.seed}. (a) Fourth root of the mean of ρ⁴ over {count(s.points, 'embedding')} of "
        f"every class, {s.steps:,} steps of SGD at γ = {s.learning_rate:g}; bars, where larger "
        "than the marks, are ± 2 standard errors over embeddings; lines are predicted. (b) Norms "
        "over that of the rarest class, at the end of (a) and after "
        f"{count(s.batch_steps, 'step')} in batches of {s.batch} at γ = {s.batch_rate:g}; bars are "
        f"± 2 standard errors, over embeddings or over the {count(s.batch_starts, 'run')} in "
        "batches."
    )


def _class_ratios(result: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Norm of every class against the first at the end, and its standard error."""
    return _ratios(result.fourth_power.values[-1], result.fourth_power_error.values[-1])


def _batch_ratios(result: xr.Dataset, gradients: str) -> tuple[np.ndarray, np.ndarray]:
    """The same for updates in batches."""
    one = result.sel(gradients=gradients)
    return _ratios(one.batch_fourth_power.values, one.batch_error.values)


def _ratios(fourth: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    relative = error / fourth
    norm = (fourth / fourth[0]) ** 0.25
    both = np.hypot(relative, relative[0]) / 4
    both[0] = 0.0  # the first against itself
    return norm, norm * both


def exponent(result: xr.Dataset) -> tuple[float, float]:
    """Exponent of the norm in the step over the last decade, with its standard error.

    A finite run stays a little below ¼: ρ₀⁴ and the excess of order γ² log t still count.
    """
    late = (result.step >= result.step[-1] / 10).values
    step, fourth = result.step.values[late], result.fourth_power.values[late]
    slopes = np.polyfit(np.log(step), np.log(fourth) / 4, 1)[0]
    return float(slopes.mean()), float(slopes.std(ddof=1) / np.sqrt(len(slopes)))


def rows(result: xr.Dataset) -> list[Row]:
    """Exponent of the growth, ρ⁴ of the rarest class, and the class ratios."""
    ratio = result.frequency.values / float(result.frequency[0])
    last = result.isel(step=-1, frequency=0)
    slope, slope_error = exponent(result)
    lines = [
        Row(f"exponent of norm growth (± {slope_error:.4f})", None, 0.25, slope),
        Row("ρ⁴ of the rarest class", None, float(last.predicted), float(last.fourth_power)),
    ]
    norm, error = _class_ratios(result)
    for r, n, e in zip(ratio[1:], norm[1:], error[1:], strict=True):
        name = f"norm ratio at frequency {r:g} (± {e:.4f})"
        lines.append(Row(name, None, float(r) ** 0.25, float(n)))
    batch = result.sel(gradients="coherent")
    norm, error = _batch_ratios(result, "coherent")
    exact = (batch.batch_predicted / batch.batch_predicted[0]).values ** 0.25
    for r, n, e, p in zip(ratio[1:], norm[1:], error[1:], exact[1:], strict=True):
        name = f"coherent norm ratio at frequency {r:g} (± {e:.4f})"
        lines.append(Row(name, None, float(p), float(n)))
    return lines
