"""Every number of the paper and of its public code that is known here, beside ours, with a verdict.

``python -m figures --fidelity docs/fidelity.md`` writes the page, from kept results where there are
any. A verdict follows from the numbers by the rule that stands with them, not by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from figures.class_imbalance import DRAWS, MEAN_OF, TRAINED, share
from figures.confidence import ends
from figures.density import by_training
from simulations._published import published
from simulations.class_imbalance import PUBLISHED, means_of, ordered, spread
from simulations.density import PUBLISHED as ANOTHER_WORLD
from simulations.encoders.measures import interval

REPRODUCED, DIFFERS, NOT_HERE = "reproduced", "differs", "not testable here"


class Entry(NamedTuple):
    """One number.

    Attributes:
        quantity: what it is.
        published: as the paper or its code has it.
        ours: as measured here.
        difference: of ours from the published one, in words or per cent.
        verdict: one of the three words above, with the rule or the reason.
    """

    quantity: str
    published: str
    ours: str
    difference: str
    verdict: str


def _judged(close: bool, rule: str) -> str:
    return f"{REPRODUCED if close else DIFFERS}: {rule}"


def _relative(ours: float, theirs: float) -> str:
    percent = round(100 * (ours / theirs - 1), 1)
    return f"{percent:+.1f} %" if percent else "0"


def norm_effect(result: xr.Dataset) -> list[Entry]:
    """Steps to converge at every norm; a step or 2 % is what another draw of 500 pairs changes."""
    found = []
    for norm, theirs in zip(result.norm.values, result.published.values, strict=True):
        ours = float(result.recursion.sel(norm=norm).mean())
        close = abs(ours - theirs) <= max(1, 0.02 * theirs)
        found.append(
            Entry(
                f"steps to converge at norm {norm:g}",
                f"{theirs:g}",
                f"{ours:.1f}",
                _relative(ours, theirs),
                _judged(close, "within a step or 2 %, another draw of 500 pairs"),
            )
        )
    return found


def opposite_halves(result: xr.Dataset) -> list[Entry]:
    """Steps from a right angle and near the antipode, read off a curve to about 5 %."""
    angle = result.start_angle.mean("start").values
    order = np.argsort(angle)
    steps = result.recursion.mean("start").values[order]
    found = []
    for text, theirs in published("opposite_halves")["steps_near"].items():
        ours = float(np.interp(float(text), angle[order], steps))
        found.append(
            Entry(
                f"steps to converge from a mean angle of {float(text):.2f}",
                f"about {theirs:g}",
                f"{ours:.1f}",
                _relative(ours, theirs),
                _judged(abs(ours / theirs - 1) <= 0.05, "within 5 %, read off a plot"),
            )
        )
    return found


def class_imbalance(result: xr.Dataset) -> list[Entry]:
    """Norms of the classes: does the published mean of five lie where means of five lie?"""
    norm = result.norm.sel(variant=PUBLISHED, sample=TRAINED)
    means = means_of(norm, min(MEAN_OF, result.sizes["run"]), DRAWS)

    def inside(quantity: str, theirs: float, ours: float, draws: xr.DataArray) -> Entry:
        low, high = np.quantile(draws, [0.025, 0.975])
        rule = f"95 % of the means of {MEAN_OF} networks lie in [{low:.2f}, {high:.2f}]"
        above = float((draws >= theirs).mean())
        rule += f", {100 * above:.0f} % are at least the published one"
        verdict = _judged(bool(low <= theirs <= high), rule)
        return Entry(quantity, f"{theirs:.3g}", f"{ours:.2f}", f"{ours - theirs:+.2f}", verdict)

    paper = result.published
    start = result.course.sel(sample=TRAINED).isel(epoch=0).mean()
    initial = published("class_imbalance")["initial_norm_about"]
    found = [
        Entry(
            "mean norm before training",
            f"about {initial:g}",
            f"{float(start):.2f}",
            f"{float(start) - initial:+.2f}",
            _judged(bool(abs(start - initial) <= 0.1), "within 0.1, read off a plot"),
        )
    ]
    for frequency in result.frequency.values:
        draws, ours = (x.sel(frequency=frequency) for x in (means, norm))
        part = share(result, frequency)
        name = f"norm at epoch {result.attrs['shown']}, class with {part} of the points"
        theirs = float(paper.sel(frequency=frequency))
        found.append(inside(name, theirs, float(ours.mean()), draws))
    name = "norm of the most frequent class less that of the rarest"
    found.append(inside(name, float(spread(paper)), float(spread(norm).mean()), spread(means)))
    in_order = float(ordered(means).mean())
    found.append(
        Entry(
            "norms in the order of the frequencies",
            "yes",
            f"{100 * in_order:.0f} % of the means of {MEAN_OF}",
            "",
            _judged(in_order > 0.05, "what more than 5 % of such means show may well be seen"),
        )
    )
    return found


def density(result: xr.Dataset) -> list[Entry]:
    """The correlation of norm and distance falls, also before training."""
    shown = result.overall.sel(sample=ANOTHER_WORLD)
    trained, new = (shown.sel(stage=s).values for s in ("trained", "new"))
    ours = f"ρ = {trained.mean():.2f} ± {interval(trained):.2f}"
    gain = by_training(shown)
    before = f"untrained networks have {new.mean():.2f}; training changes that by "
    before += f"{gain.mean():+.2f} ± {interval(gain):.2f}, network by network"
    return [
        Entry(
            "norm against the distance to the 10th neighbour",
            "falls",
            ours,
            before,
            _judged(bool(trained.mean() + interval(trained) < 0), "the interval is below 0"),
        )
    ]


def confidence(result: xr.Dataset | None) -> list[Entry]:
    """Accuracy in the first and the last bucket of norms, of networks that can't be trained here.

    Args:
        result: of the experiment, on its digits; None where they are not installed.
    """
    found = []
    for data, of_data in published("confidence")["read_off_the_plots"].items():
        for objective, (first, last) in of_data.items():
            ours = ""
            if result is not None and objective in result.objective.values:
                ours = "on digits {:.2f} to {:.2f}".format(*ends(result, objective))
            found.append(
                Entry(
                    f"accuracy in the first and the last bucket, {objective} on {data}",
                    f"{first:g} to {last:g}",
                    ours,
                    "",
                    f"{NOT_HERE}: {data} and a deep network of hundreds of epochs on a GPU",
                )
            )
    return found


TABLES: dict[str, Callable[[Any], list[Entry]]] = {
    "norm_effect": norm_effect,
    "opposite_halves": opposite_halves,
    "class_imbalance": class_imbalance,
    "density": density,
    "confidence": confidence,
}
"""The experiments that have published numbers, and what makes entries of their results."""

HEAD = """\
# The paper's numbers, and ours

What Draganov et al. (2025) and their public code print or plot {cite:p}`draganov2025importance`,
as far as it is known here (`simulations/published.json`), beside what the same experiment gives
here. This page is written by `python -m figures --fidelity docs/fidelity.md`; a verdict follows
from the rule that stands with it. ± are 95 % intervals. What the experiments mean is in
[](networks.md).
"""


def page(entries: dict[str, list[Entry]]) -> str:
    """The page, in Markdown: a table for every experiment."""
    text = [HEAD]
    for name, of_one in entries.items():
        text += [f"## {name}\n", "| number | published | ours | difference | verdict |"]
        text += ["| --- | --- | --- | --- | --- |"]
        text += [f"| {' | '.join(entry)} |" for entry in of_one]
        text.append("")
    return "\n".join(text)
