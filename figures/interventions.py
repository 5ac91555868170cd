"""Cut-initialisation and GradScale over time on real digits, every setting at its own rate."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, PURPLE, SKY, VERMILION, Row
from figures._captions import count, intervals, listed, settings
from figures._letters import named
from simulations._tuned import MARGINS, choices, comparisons, target
from simulations.encoders.measures import interval

TITLES = {
    "accuracy": "accuracy at the end less that of c = 1, p = 0 (● tuned rates, □ the paper's rate)",
    "speed": "steps to 90 % of the way from untrained to best: of c = 1, p = 0 over the setting's",
    "early": "steps to 90 % of the best accuracy, likewise (no part of the design)",
}
WHAT = {
    "accuracy": "accuracy gained",
    "speed": "log of the ratio of steps to 90 % of the way up",
    "early": "log of the ratio of steps to 90 % of the best",
}
COLOURS = (BLUE, VERMILION, GREEN, SKY, ORANGE, PURPLE)


def _name(c: float, p: float) -> str:
    return f"c = {c:g}, p = {p:g}"


def _curves(axes: Axes, one: xr.Dataset) -> None:
    """Accuracy over time at the rates for speed; dotted is where steps are counted."""
    step = one.look.values * float(one.length)
    for i, ((c, p), choice) in enumerate(choices(one, "speed").items()):
        mean, half = choice.curve.mean(axis=0), interval(choice.curve)
        color = COLOURS[i % len(COLOURS)]
        axes.plot(step, mean, "-" if p == 0 else "--", color=color, label=_name(c, p))
        low, high = np.clip([mean - half, mean + half], 0, 1)
        axes.fill_between(step, low, high, color=color, alpha=0.12, lw=0)
    for by in ("speed", "early"):
        axes.axhline(target(one, by), color=BLACK, ls=":", lw=0.9)
    axes.axhline(float(one.raw.mean()), color="0.6", lw=0.9)
    axes.set(xlabel="step", ylabel="accuracy, test images")
    axes.set_title(f"{one.encoder.values}, {one.objective.values}")


def _gains(axes: Axes, result: xr.Dataset, measure: str) -> None:
    """Differences from c = 1, p = 0, with intervals: at tuned rates, and at the paper's one."""
    groups: list[tuple[str, str, int]] = []
    settings: list[tuple[float, float]] = []
    for marker, filled, paper in (("o", True, False), ("s", False, True)):
        for one in comparisons(result, paper=paper):
            if one.measure != measure:
                continue
            group, setting = (one.encoder, one.objective, one.length), (one.cut, one.power)
            groups += [group] if group not in groups else []
            settings += [setting] if setting not in settings else []
            k = settings.index(setting)
            color = COLOURS[(k + 1) % len(COLOURS)]
            x = groups.index(group) + 0.13 * (k - 2) + 0.05 * paper
            ends = one.gain + np.array([-one.half, 0, one.half])
            low, middle, high = ends if measure == "accuracy" else np.exp(ends)
            axes.plot([x, x], [low, high], "-", lw=0.8, color=color)
            axes.plot([x], [middle], marker, ms=3.5, color=color, mfc=color if filled else "white")
    same = 0.0 if measure == "accuracy" else 1.0
    margin = np.array([-1, 1]) * MARGINS[measure]
    for edge in margin if measure == "accuracy" else np.exp(margin):
        axes.axhline(edge, color="0.7", ls="--", lw=0.8)
    axes.axhline(same, color=BLACK, lw=0.8)
    short = {"MLP": "MLP", "convolutional": "conv."}
    labels = [f"{short[e]}\n{m}\n{n} steps" for e, m, n in groups]
    axes.set_xticks(range(len(groups)), labels)
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.set_xlabel("encoder, method, length")
    axes.set_title(TITLES[measure])
    if measure == "accuracy":
        axes.set(ylabel="accuracy gained", ylim=(-0.13, 0.13))
        return
    axes.set(yscale="log", ylim=(0.12, 8), ylabel="times fewer steps")
    axes.set_yticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
    axes.minorticks_off()


def draw(result: xr.Dataset) -> Figure:
    """Accuracy over time, and what every setting gains at the end and in steps.

    Curves are those of the shortest training, at the rates for speed; dotted is where steps are
    counted, grey a vote of raw pixels. Dashed lines among the gains bound effects that would not
    matter; what leaves the panel is in the table.

    Args:
        result: of the experiment ``interventions``.

    Returns:
        The figure.
    """
    pairs = [(e, m) for e in result.encoder.values for m in result.objective.values]
    figure = plt.figure(figsize=(PAGE, 8.6))
    grid = figure.add_gridspec(1 + len(MARGINS), len(pairs))
    first: Axes | None = None
    for i, (encoder, method) in enumerate(pairs):
        axes = figure.add_subplot(grid[0, i], sharey=first)
        _curves(axes, result.sel(encoder=encoder, objective=method).isel(length=0))
        if first is None:
            first = axes
        else:
            axes.set_ylabel("")
            axes.tick_params(labelleft=False)
    if first is not None:
        handles, labels = first.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=6, columnspacing=1)
    above: Axes | None = None
    for row, measure in enumerate(MARGINS, 1):
        above = axes = figure.add_subplot(grid[row, :], sharex=above)
        _gains(axes, result, measure)
        if row < len(MARGINS):
            axes.tick_params(labelbottom=False)
            axes.set_xlabel("")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many networks and images."""
    s = settings(result)
    curves = result.sizes["encoder"] * result.sizes["objective"]
    accuracy, speed, early = (named(1, curves + k) for k in range(3))
    return (
        f"Cut-initialisation by c and GradScale of power p on digits: {s.fit:,} images to train on "
        f"in batches of {s.pairs} pairs, d = {s.dimension}, {count(s.runs, 'network')} with splits "
        f"of their own, seed {s.seed}; trained for {listed(s.lengths)} steps. {named(curves)} "
        f"Accuracy of a vote of {s.neighbours} neighbours on {s.test} test images over "
        f"{s.lengths[0]} steps, at the rate that is fastest on {s.validation} others; means with "
        f"bands that are {intervals(s.runs, 'network')}; dotted is where steps are counted; grey: "
        f"a vote of raw pixels. {accuracy} Accuracy gained on c = 1, p = 0 at the end, "
        f"{speed} and {early} times fewer steps, at tuned rates (filled) and at the paper's rate "
        f"(open); upright bars are {intervals(s.runs, 'network')}, of differences network by "
        "network; dashed: effects that would not matter."
    )


def rows(result: xr.Dataset) -> list[Row]:
    """References, and every comparison that is decided on, with interval, p value and verdict."""
    found = [Row("raw pixels, accuracy", None, None, float(result.raw.mean()))]
    for encoder in result.encoder.values:
        for method in result.objective.values:
            for length in result.length.values:
                one = result.sel(encoder=encoder, objective=method, length=length)
                place = f"{encoder}, {method}, {length} steps"
                base = choices(one, "accuracy")[1.0, 0.0]
                start = float(base.curve[:, 0].mean())
                found.append(Row(f"{place}: untrained, accuracy", None, None, start))
                end = float(base.accuracy.mean())
                found.append(Row(f"{place}: c = 1, p = 0, accuracy", None, None, end))
    for paper in (False, True):
        at = "the paper's rate" if paper else "tuned rates"
        for one in comparisons(result, paper=paper):
            if not one.decided:
                continue
            place = f"{one.encoder}, {one.objective}, {one.length} steps"
            place += f", {_name(one.cut, one.power)}"
            what = WHAT[one.measure]
            note = f"(± {one.half:.3f}, adjusted p = {one.p_value:.2g}; {one.verdict})"
            found.append(Row(f"{place}: {what} at {at} {note}", None, None, one.gain))
    for by in MARGINS:
        many = float(len(at_the_end(result, by)))
        found.append(Row(f"best rates for {by} at the end of their grid", None, None, many))
    return found


def at_the_end(result: xr.Dataset, by: str) -> list[str]:
    """Settings whose best rate is at an end of its grid."""
    found = []
    for encoder in result.encoder.values:
        for method in result.objective.values:
            for length in result.length.values:
                one = result.sel(encoder=encoder, objective=method, length=length)
                for (c, p), choice in choices(one, by).items():
                    if not choice.inside:
                        found.append(f"{encoder}, {method}, {length} steps, {_name(c, p)}")
    return found
