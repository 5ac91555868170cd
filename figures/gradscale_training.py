"""GradScale in an encoder: what is left of it once each power has its own best rate."""

from __future__ import annotations

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from figures import BLUE, PAGE, VERMILION, Row
from figures._captions import count, intervals, settings
from simulations.encoders.measures import interval
from simulations.gradscale_training import best_rate, gained

COLOURS = (BLUE, VERMILION)


def draw(result: xr.Dataset) -> Figure:
    """Accuracy against the rate, and against the step at the best rate, all and rare classes.

    Bars are 95 % intervals over runs. Both powers see the same points in a run, so the two are
    compared by their difference run by run.

    Args:
        result: of the experiment ``gradscale_training``.

    Returns:
        The figure.
    """
    figure, (sweep, every, rare) = plt.subplots(1, 3, figsize=(PAGE, 2.6))
    chosen = best_rate(result)
    for i, power in enumerate(result.power.values):
        one, rate = result.sel(power=power), float(chosen.sel(power=power))
        final, tuned = one.accuracy.isel(step=-1), one.sel(rate=rate)
        for axes, values, along in (
            (sweep, final, "rate"),
            (every, tuned.accuracy, "step"),
            (rare, tuned.rare, "step"),
        ):
            mean, half = values.mean("run"), interval(values.transpose("run", along).values)
            label = f"p = {power:g}"
            if axes is not sweep:
                label += f": {float(mean[-1]):.3f}"
            axes.errorbar(
                values[along], mean, half, fmt="o-", color=COLOURS[i], capsize=2, label=label
            )
        sweep.axvline(rate, color=COLOURS[i], ls=":", lw=0.9)
    gain = gained(result)
    for axes, values in ((every, gain.accuracy), (rare, gain.rare)):
        said = f"p = 1 gains {float(values.mean()):+.3f} ± {float(interval(values.values)):.3f}"
        axes.text(0.96, 0.06, said, ha="right", transform=axes.transAxes)
    sweep.set(xscale="log", xlabel="learning rate", ylabel="accuracy at the end")
    sweep.set_title("held out (dotted: chosen rate)")
    every.set(xlabel="step", ylabel="accuracy", title="at the chosen rates: all points")
    rare.set(xlabel="step", ylabel="accuracy of a rare class", title="and rare classes")
    for axes in (sweep, every, rare):
        axes.set_ylim(0, 1.3)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.legend(loc="upper left")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many networks and points."""
    s = settings(result)
    return (
        "GradScale in an encoder (p = 1 against none): (a) held-out accuracy of a vote of "
        f"{s.neighbours} neighbours after {count(s.steps, 'step')}, by learning rate; (b) over "
        "training at the rate that is best on other points, all classes; (c) the rare ones. Bars "
        f"are {intervals(s.runs, 'network')}; both powers see the same points in a run, and ± is "
        "the interval of their difference run by run. "
        f"{s.classes} rare and {s.classes} frequent latent classes (1 to "
        f"{s.frequencies[1] / s.frequencies[0]:g}), {s.points:,} points to train on and as many "
        f"held out, d = {s.dimension}, batches of {s.batch}, NT-Xent at temperature "
        f"{s.temperature:g}, seed {s.seed}."
    )


def rows(result: xr.Dataset) -> list[Row]:
    """Chosen rates, accuracies at them, and what p = 1 gains run by run.

    Gains come with their 95 % interval over runs (Student's t).
    """
    chosen, found = best_rate(result), []
    for power in result.power.values:
        rate = float(chosen.sel(power=power))
        one = result.sel(power=power, rate=rate).isel(step=-1).mean("run")
        found += [
            Row(f"chosen rate, p = {power:g}", None, None, rate),
            Row(f"accuracy at it, p = {power:g}", None, None, float(one.accuracy)),
            Row(f"of rare classes, p = {power:g}", None, None, float(one.rare)),
        ]
    gain = gained(result)
    for name, values in (("accuracy", gain.accuracy), ("accuracy of rare classes", gain.rare)):
        label = f"{name} gained by p = 1 (± {float(interval(values.values)):.3f})"
        found.append(Row(label, None, None, float(values.mean())))
    return found
