"""Rare classes end with smaller norms: the paper's setting, one thing changed, and controls."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import BLACK, BLUE, PAGE, SEQUENTIAL, VERMILION, Row
from figures._bands import mean_and_interval
from figures._captions import count, intervals, listed, settings
from simulations.class_imbalance import PUBLISHED, means_of, ordered, spread
from simulations.encoders.measures import interval

MEAN_OF = 5
"""Networks in the mean that the paper plots."""

DRAWS = 20_000
TRAINED = "trained on"
DIFFERENCE = "norm: most frequent class less rarest"


def share(result: xr.Dataset, frequency: float) -> str:
    """The share of a class among all points, such as 8/15."""
    return f"{frequency:g}/{float(result.frequency.sum()):g}"


def draw(result: xr.Dataset) -> Figure:
    """Norm against epoch, what a mean of five networks is worth, and level and spread by variant.

    Args:
        result: of the experiment ``class_imbalance``.

    Returns:
        The figure.
    """
    figure, axes = plt.subplots(2, 2, figsize=(PAGE, 5.2), gridspec_kw={"height_ratios": [1, 1.15]})
    (time, means), (level, difference) = axes
    _course(time, result)
    _means(means, result)
    names = result.variant.values
    norm = result.norm.mean("assignment")
    _by_variant(level, norm.mean("frequency"))
    level.set(xlabel="mean norm of all classes")
    level.set_yticks(range(len(names)), names)
    level.set_title("level")
    level.set(ylabel="one thing changed")
    level.legend(loc="upper right")
    difference.sharey(level)
    _by_variant(difference, spread(norm))
    difference.axvline(0, color="0.7", lw=0.9)
    difference.set(xlabel=DIFFERENCE)
    difference.tick_params(labelleft=False)
    difference.set_title(f"spread, {result.sizes['run']} worlds, 95 % intervals")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many worlds and points."""
    s = settings(result)
    orders = result.sizes["assignment"]
    some = min(MEAN_OF, s.runs)
    return (
        "Norms by class in encoders trained on classes of frequencies "
        f"{listed(s.frequencies)}. (a) Mean norm of points trained on, over {s.epochs} epochs of "
        f"the paper's setting: means over {s.runs} worlds with {count(orders, 'assignment')} of "
        f"frequencies to classes each; bands are {intervals(s.runs, 'world')}; circles are read "
        "off the paper's plot. (b) Norm of the most frequent class less that of the rarest at "
        f"epoch {s.shown}: how it is distributed over single networks, and over means of {some} "
        f"of different worlds ({DRAWS:,} draws). (c) Mean norm of all classes and (d) that "
        f"difference, with one thing changed; bars are {intervals(s.runs, 'world')}. "
        f"{s.points:,} points to train on and as many held out, of {s.data_dimension} dimensions, "
        f"embedded in d = {s.dimension}; NT-Xent at temperature {s.temperature:g}, batches of "
        f"{s.batch}, SGD at rate {s.learning_rate:g}, seed {s.seed}."
    )


def _course(axes: Axes, result: xr.Dataset) -> None:
    """Mean norm of every class over training, in the paper's setting."""
    course = result.course.sel(sample=TRAINED).mean("assignment")
    for i, frequency in enumerate(result.frequency.values):
        color = SEQUENTIAL[i % len(SEQUENTIAL)]
        one = course.sel(frequency=frequency)
        mean_and_interval(axes, one, "epoch", color=color, label=share(result, frequency))
        published = float(result.published.sel(frequency=frequency))
        if np.isfinite(published):
            axes.plot(result.attrs["shown"], published, "o", mfc="none", color=color)
    axes.axvline(result.attrs["shown"], color="0.85", lw=0.9)
    axes.set(xlabel="epoch", ylabel="mean norm, points trained on")
    axes.set_title("the paper's setting (○ its plot)")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.5 * (high - low))
    axes.legend(ncols=2, loc="upper left", title="share of points")


def _means(axes: Axes, result: xr.Dataset) -> None:
    """Distribution of the spread of single networks and of means of some."""
    norm = result.norm.sel(variant=PUBLISHED, sample=TRAINED)
    single = np.sort(spread(norm).values.ravel())
    axes.plot(single, np.arange(1, len(single) + 1) / len(single), color=BLUE, label="one network")
    count = min(MEAN_OF, result.sizes["run"])
    several = np.sort(spread(means_of(norm, count, DRAWS)).values)
    axes.plot(
        several[:: DRAWS // 200],
        np.linspace(0, 1, len(several))[:: DRAWS // 200],
        color=VERMILION,
        label=f"mean of {count}",
    )
    paper = _published_spread(result)
    if np.isfinite(paper):
        axes.axvline(paper, color=BLACK, ls="--", lw=0.9, label="the paper's plot")
    axes.set(xlabel=DIFFERENCE, ylabel="share below")
    axes.set_title("spread in the paper's setting")
    axes.set_ylim(-0.02, 1.02)
    axes.legend(loc="upper left")


def _by_variant(axes: Axes, values: xr.DataArray) -> None:
    """Means over worlds with intervals, one line for every variant, one mark for every sample."""
    for j, (sample, color, mark) in enumerate(
        zip(values["sample"].values, (BLUE, BLACK), "os", strict=True)
    ):
        one = values.sel(sample=sample).transpose("run", "variant").values
        y = np.arange(one.shape[1]) + 0.24 * (j - 0.5)
        axes.errorbar(
            one.mean(axis=0), y, xerr=interval(one), fmt=mark, ms=3, color=color, label=sample
        )
    axes.set_ylim(values.sizes["variant"] - 0.4, -0.6)


def _published_spread(result: xr.Dataset) -> float:
    return float(spread(result.published))


def rows(result: xr.Dataset) -> list[Row]:
    """Norms in the paper's setting, then its spread, then the spread of every other variant."""
    trained = result.norm.sel(sample=TRAINED)
    norm = trained.sel(variant=PUBLISHED)
    found = []
    for frequency in result.frequency.values[::-1]:
        published = float(result.published.sel(frequency=frequency))
        found.append(
            Row(
                f"norm of the class with {share(result, frequency)} of the points",
                published if np.isfinite(published) else None,
                None,
                float(norm.sel(frequency=frequency).mean()),
            )
        )
    paper = _published_spread(result)
    count = min(MEAN_OF, result.sizes["run"])
    means = means_of(norm, count, DRAWS)
    for label, value in (
        ("networks ordered by frequency (share)", ordered(norm)),
        (f"means of {count} ordered (share)", ordered(means)),
        (f"means of {count} with the paper's spread or more (share)", spread(means) >= paper),
    ):
        if np.isfinite(paper) or "paper" not in label:
            found.append(Row(label, None, None, float(value.mean())))
    for variant in result.variant.values:
        worlds = spread(trained.sel(variant=variant)).mean("assignment").values
        found.append(
            Row(
                f"spread, {variant} (± {interval(worlds):.2f})",
                paper if variant == PUBLISHED and np.isfinite(paper) else None,
                None,
                float(worlds.mean()),
            )
        )
    return found
