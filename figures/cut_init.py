"""Cut-initialisation speeds training up; a tuned learning rate does the same."""

from __future__ import annotations

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, VERMILION, Row
from figures._bands import mean_and_interval
from figures._captions import intervals, listed, settings
from simulations.cut_init import best
from simulations.encoders.measures import interval

COLOURS = (BLUE, GREEN, VERMILION, ORANGE)
SHARE = (0.0, 1.0)


def draw(result: xr.Dataset) -> Figure:
    """Loss and accuracy against steps, the controls, and accuracy against the rate.

    Args:
        result: of the experiment ``cut_init``.

    Returns:
        The figure.
    """
    figure, ((loss, accuracy, agreement), sweep) = plt.subplots(2, 3, figsize=(PAGE, 4.6))
    one = result.sel(kind="biases")
    for i, c in enumerate(result.cut.values):
        color = COLOURS[i % len(COLOURS)]
        for j, style in enumerate(("-", "--")):
            cut = one.sel(cut=c).isel(decay=j)
            label = f"c = {c:g}" + (", decay" if j else "")
            mean_and_interval(loss, cut.loss, "until", ls=style, color=color, label=label)
            mean_and_interval(accuracy, cut.accuracy, ends=SHARE, ls=style, color=color)
        control = one.sel(cut=c).isel(decay=0).control_accuracy
        bars = interval(control.transpose("run", "step").values)
        marks = {"fmt": "o", "mfc": "none", "ms": 3, "elinewidth": 0.8, "color": color}
        accuracy.errorbar(control.step, control.mean("run"), bars, **marks)
    loss.set(xlabel="step", ylabel="loss", title="network with biases")
    loss.legend()
    accuracy.set(xlabel="step", ylabel="10-NN accuracy, held out")
    accuracy.set_title("cut (lines), rate × c² (○)")
    for i, kind in enumerate(result.kind.values):
        for j, c in enumerate(result.cut.values[1:]):
            apart = 1 - result.agreement.sel(kind=kind, cut=c).isel(decay=0)
            x = i + 0.25 * (j - (result.sizes["cut"] - 2) / 2)
            agreement.plot(
                [x] * apart.size,
                apart.values.clip(1e-8),
                "o",
                ms=3,
                color=COLOURS[(j + 1) % len(COLOURS)],
                label=f"c = {c:g}" if i == 0 else None,
            )
    agreement.set(yscale="log", ylabel="1 − cos(cut, control)", xlabel="network")
    agreement.set_title("embeddings at the end")
    agreement.set_xticks(range(result.sizes["kind"]), result.kind.values)
    agreement.set_xlim(-0.5, result.sizes["kind"] - 0.5)
    agreement.legend(loc="lower right")
    tuned = best(result).accuracy.mean("run")
    for axes in sweep[1:]:
        axes.sharey(sweep[0])
    for axes, kind in zip(sweep, result.kind.values, strict=True):
        for i, c in enumerate(result.cut.values):
            found = tuned.sel(kind=kind, cut=c)
            label = f"c = {c:g}: best {float(found):.3f}"
            values = result.tuned.sel(kind=kind, cut=c)
            style = {"color": COLOURS[i % len(COLOURS)], "label": label, "marker": "o"}
            mean_and_interval(axes, values, "rate", ends=SHARE, **style)
        axes.axhline(float(tuned.sel(kind=kind, cut=1)), color=BLACK, ls=":", lw=0.8)
        axes.set(xscale="log", xlabel="learning rate", title=str(kind))
        axes.set_ylim(0, 1.5)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.legend(loc="upper left")
    sweep[0].set_ylabel("10-NN accuracy after training")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many networks and points."""
    s = settings(result)
    kinds = listed(map(str, result.kind.values))
    return (
        f"Encoders whose weights are divided by c at the start, SGD on NT-Xent for {s.steps:,} "
        f"steps. (a) Loss and (b) held-out accuracy of a vote of {s.neighbours} neighbours at "
        f"γ = {s.learning_rate:g}, without decay and (dashed) with λ = {s.weight_decay:g}; circles "
        "are uncut networks at rate c²γ. (c) How far embeddings of cut network and such a control "
        "are apart at the end; every mark is a run. (d) to (f) Accuracy by the rate and by network "
        f"({kinds}); dotted: c = 1 at its best rate. Lines and marks are means, bands and bars "
        f"{intervals(s.runs, 'network')}. {s.classes} latent classes, {s.points:,} points to train "
        f"on and as many held out, d = {s.dimension}, batches of {s.batch}, temperature "
        f"{s.temperature:g}, seed {s.seed}."
    )


def rows(result: xr.Dataset) -> list[Row]:
    """Agreement of cut networks with their controls, and gains left after tuning the rate.

    Gains come with their 95 % interval over runs (Student's t), and with a word where the best rate
    is at the end of the grid.
    """
    found, tuned = [], best(result)
    for kind in result.kind.values:
        for c in result.cut.values[1:]:
            at = {"kind": kind, "cut": c}
            agreement = float(result.agreement.sel(at).isel(decay=0).mean())
            exact, zero = (1.0, 0.0) if kind == "no biases" else (None, None)
            found.append(Row(f"cos(cut by {c:g}, rate × c²), {kind}", None, exact, agreement))
            both = tuned.sel(kind=kind, cut=[1.0, c])
            gain = both.accuracy.isel(cut=1) - both.accuracy.isel(cut=0)
            label = f"accuracy gained by c = {c:g} at tuned rates, {kind}"
            label += f" (± {float(interval(gain.values)):.3f})"
            label += "" if bool(both.inside.all()) else ", rate at the grid's end"
            found.append(Row(label, None, zero, float(gain.mean())))
    return found
