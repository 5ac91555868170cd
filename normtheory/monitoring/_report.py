"""The records as one self-contained HTML page: measured solid, predicted dashed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from normtheory._page import (  # isort: split
    BLUE,
    GREEN,
    ORANGE,
    about,
    claims_named,
    document,
    folded,
    formulas,
    framed,
    picture,
    summary,
    warning,
)

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from normtheory._text import shown
from normtheory.monitoring._quantities import PAIRS, QUANTITIES

if TYPE_CHECKING:
    import xarray as xr

_MOST_CLASSES = 6
_COLOURS = (BLUE, ORANGE, GREEN)


class _Panel(NamedTuple):
    """Numbers that are drawn together: names, the title, and what the axis says."""

    names: tuple[str, ...]
    title: str
    axis: str


_PANELS = (
    _Panel(("turn", "turn_lag"), "How fast directions turn", "radians"),
    _Panel(("slowdown",), "Smallest against largest norms", "times slower"),
    _Panel(("drift", "heat"), "What moves the norms", "drift D, heat s"),
    _Panel(("radial_share", "shrinking"), "Radial part, and norms that shrink", "share"),
    _Panel(("alignment", "gap", "resultant"), "Where directions lie", "distance, length"),
    _Panel(("uniformity",), "Uniformity", "log of a mean"),
    _Panel(("effective_rate",), "Effective rate of the median norm", "rate"),
    _Panel(("loss",), "Loss", "loss"),
    _Panel(("learning_rate",), "Learning rate", "η"),
    _Panel(("scale",), "Scale", "b = 1/τ"),
)


def page(records: xr.Dataset, alarms: Sequence[str]) -> str:
    """The whole page of a monitor's dataset."""
    steps = records["step"].values
    optimizer = records.attrs.get("optimizer", "an optimizer without predictions")
    headline = f"{len(steps)} looks from step {steps[0]} to {steps[-1]}, {optimizer}"
    parts = ["<h1>Norms of a training</h1>", f"<p>{escape(headline)}</p>"]
    settings = [f"{name} {x}" for name, x in records.attrs.items() if name not in _KNOWN]
    parts += [about(f"settings: {', '.join(settings)}" if settings else "")]
    parts += [summary(_summary(records, alarms))]
    parts += [warning(said) for said in alarms]
    parts.append('<p class="note">Measured solid, predicted dashed.</p>')
    parts.append(folded("What is predicted", [f'<p class="note">{_PREDICTED}</p>']))
    figures = []
    if "norm" in records:
        figures.append(_figure("Norms", partial(_norms, records=records), _NORMS))
    if "class_norm" in records:
        draw = partial(_classes, records=records)
        figures.append(_figure("Norms by class", draw, "Median norm of each class over time"))
    for panel in _PANELS:
        names = [name for name in panel.names if _there(records, name)]
        if names:
            said = ", ".join(QUANTITIES[name].label for name in names)
            draw = partial(_lines, records=records, names=names, panel=panel)
            figures.append(_figure(panel.title, draw, said))
    parts += ['<div class="figures">', *figures, "</div>"]
    parts += ["<h2>Last numbers</h2>", *_table(records)]
    parts += claims_named(parts)
    return document(f"Norms of a training: {headline}", framed(parts))


_KNOWN = ("normtheory", "optimizer")  # attributes that the page says elsewhere

_PREDICTED = (
    "Predictions are those of free embeddings against fresh gradients: an encoder moves its "
    "embeddings through shared weights and may settle elsewhere; there the norm that drift and "
    "heat lead to is drawn from what was measured."
)

_ENDS = {
    "predicted_norm": "free embeddings settle",
    "implied_norm": "the drift and heat that were measured lead to",
}


def _summary(records: xr.Dataset, alarms: Sequence[str]) -> list[str]:
    """What was found and what to do, in a few lines."""
    found = []
    if _there(records, "norm"):
        values = _curve(records, "norm")[1]
        ends = [
            f"; {_last(records, name)} is where {end}"
            for name, end in _ENDS.items()
            if _there(records, name)
        ]
        found.append(f"Norms: median {values[0]:.4g} at first, {values[-1]:.4g} now{''.join(ends)}")
    if _there(records, "turn"):
        turn = f"{_last(records, 'turn')} radians in a step"
        if _there(records, PAIRS["turn"]):
            turn += f"; {_last(records, PAIRS['turn'])} at the equilibrium of free embeddings"
        found.append(f"Turning: {turn}")
    todo = "see the warnings, the gravest first" if alarms else "nothing: there is no alarm"
    return [*found, f"To do: {todo}"]


_NORMS = "Percentiles of the norms over time, and the norms that theory leads to"


def _figure(title: str, draw: Callable[[Axes], None], alternative: str) -> str:
    drawn = picture(draw, alternative, 2.9)
    return f"<section><h2>{escape(title)}</h2>{drawn}</section>"


def _there(records: xr.Dataset, name: str) -> bool:
    return name in records and bool(np.isfinite(records[name].values).any())


def _curve(records: xr.Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values (of norms the median), where there is one: a line joins the rest."""
    column = records[name]
    values = (column.sel(percentile=50) if "percentile" in column.dims else column).values
    some = np.isfinite(values)
    return records["step"].values[some], values[some]


def _draw(axes: Axes, records: xr.Dataset, name: str, colour: str, dashed: bool = False) -> None:
    steps, values = _curve(records, name)
    axes.plot(
        steps,
        values,
        color=colour,
        linestyle="--" if dashed else "-",
        linewidth=1.4,
        # A single look is no line.
        marker="o" if len(steps) == 1 else None,
        markersize=4,
        label=QUANTITIES[name].label,
    )


def _log_if_wide(axes: Axes, *values: np.ndarray) -> None:
    """A logarithmic axis for what spans a power of ten, with plain numbers beside it."""
    sizes = np.abs(np.concatenate([x[np.isfinite(x) & (x != 0)] for x in values]))
    if not sizes.size or (sizes.max() <= 10 * np.median(sizes) and sizes.max() <= 10 * sizes.min()):
        return
    if min(np.nanmin(x) for x in values) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    elif sizes.max() > 10 * np.median(sizes):
        axes.set_yscale("symlog", linthresh=float(np.median(sizes)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _legend(axes: Axes) -> None:
    axes.set_xlabel("step")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)


def _norms(axes: Axes, records: xr.Dataset) -> None:
    steps, norms = records["step"].values, records["norm"]
    low, middle, high = (norms.sel(percentile=p).values for p in (5, 50, 95))
    axes.fill_between(steps, low, high, color=BLUE, alpha=0.2, linewidth=0, label="5 % to 95 %")
    one = "o" if len(steps) == 1 else None
    axes.plot(steps, middle, color=BLUE, linewidth=1.4, marker=one, label="median")
    for name, colour in (("predicted_norm", ORANGE), ("implied_norm", GREEN)):
        if _there(records, name):
            _draw(axes, records, name, colour, dashed=True)
    _log_if_wide(axes, norms.values.ravel())
    axes.set_ylabel("norm ‖z‖")
    _legend(axes)


def _classes(axes: Axes, records: xr.Dataset) -> None:
    """The classes of largest and of smallest norm, with their names in the order of the lines."""
    labels, norms = records["label"].values, records["class_norm"].values
    last = np.array([column[np.isfinite(column)][-1] for column in norms.T])
    order = np.argsort(-last, kind="stable")
    if len(order) > _MOST_CLASSES:
        order = np.r_[order[: _MOST_CLASSES // 2], order[-_MOST_CLASSES // 2 :]]
    for place, i in enumerate(order):
        there = np.isfinite(norms[:, i])
        colour, dim = _COLOURS[place % len(_COLOURS)], 1 - 0.5 * (place >= len(_COLOURS))
        axes.plot(
            records["step"].values[there], norms[there, i], color=colour, alpha=dim, linewidth=1.2
        )
        axes.annotate(
            shown(labels[i], 16),
            (1.01, 1 - (place + 0.5) / len(order)),
            xycoords="axes fraction",
            color=colour,
            alpha=dim,
            va="center",
        )
    axes.set(xlabel="step", ylabel="median norm of a class")


def _lines(axes: Axes, records: xr.Dataset, names: Sequence[str], panel: _Panel) -> None:
    for name, colour in zip(names, _COLOURS, strict=False):
        _draw(axes, records, name, colour)
        other = PAIRS.get(name, "")
        if _there(records, other):
            _draw(axes, records, other, colour, dashed=True)
    _log_if_wide(axes, *(_curve(records, name)[1] for name in names))
    axes.set_ylabel(panel.axis)
    _legend(axes)


def _table(records: xr.Dataset) -> list[str]:
    """The newest value of every number, the predicted one beside it, and formulas on demand."""
    beside = set(PAIRS.values())
    rows, known = [], []
    for name, (label, unit, formula, source) in QUANTITIES.items():
        if name in beside and any(PAIRS[x] == name and _there(records, x) for x in PAIRS):
            continue
        if name == "class_norm" or not _there(records, name):
            continue
        other = PAIRS.get(name, "")
        cells = [_last(records, name), _last(records, other) if _there(records, other) else ""]
        values = "".join(f'<td class="value">{escape(x)}</td>' for x in cells)
        said = escape(f"{label} ({unit})" if unit else label)
        rows.append(f'<tr><th scope="row">{said}</th>{values}</tr>')
        known.append((label, f"{formula} ({source})"))
    head = "".join(f'<th scope="col">{x}</th>' for x in ("", "measured", "predicted"))
    return [
        f'<div class="table"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>",
        folded("Formulas and sources", formulas(known)),
    ]


def _last(records: xr.Dataset, name: str) -> str:
    value: Any = _curve(records, name)[1][-1]
    return f"{value:.4g}"
