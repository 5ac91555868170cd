"""What ``nt.predict`` says of real trainings, and what they do: one table, with errors in per cent.

``python -m figures --predicted docs/predicted.md`` writes the page, from the kept result if there
is one. All of its numbers come from there, those in sentences too.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from simulations.predicted import EMBEDDINGS, ENCODER

NONE = "none"

ROWS = {
    "norm": "norm",
    "turn": "turn in a step",
    "turn_lag": "turn in {lag} steps",
    "steps": "steps to equilibrium",
}
"""What is measured of every subject -> what the page calls it."""


def error(measured: float, said: float) -> str:
    """What is measured over what was said of it, in per cent; a word where nothing was."""
    if np.isnan(said):
        return NONE
    if said == 0:  # steps, where a norm is where it was to come to
        return "0 said"
    percent = 100 * (measured / said - 1)
    digits = 1 if abs(percent) < 9.95 else 0
    return f"{round(percent, digits) + 0.0:+.{digits}f}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _cell(measured: float, *said: float) -> str:
    if np.isnan(measured):
        return "not reached"
    return f"{_number(measured)} ({', '.join(error(measured, one) for one in said)})"


def _of_subject(result: xr.Dataset, subject: str) -> list[tuple[str, list[str]]]:
    one = result.sel(subject=subject)
    return [
        (
            text.format(lag=result.attrs["lag"]),
            [
                _cell(*map(float, values))
                for values in zip(one[key], one[f"{key}_numbers"], one[f"{key}_slope"], strict=True)
            ],
        )
        for key, text in ROWS.items()
    ]


def _of_training(result: xr.Dataset, training: str) -> list[tuple[str, list[str]]]:
    one, norm = result.sel(training=training), _embeddings(result, training).norm
    loss = [
        _cell(*map(float, values))
        for values in zip(one.loss, one.floor, one.floor_aligned, strict=True)
    ]
    by_motion = [
        NONE if np.isnan(implied) else f"{error(own, implied)}; pull {_share(pull)}"
        for own, implied, pull in zip(
            *(x.values for x in (norm, one.implied, one.pull)), strict=True
        )
    ]
    return [("loss", loss), ("norm by D and s", by_motion)]


def _embeddings(result: xr.Dataset, training: str) -> xr.Dataset:
    return result.sel(subject=f"{training}: {EMBEDDINGS}")


def _share(value: float) -> str:
    return f"{round(100 * value) + 0:d} %"


def table(result: xr.Dataset) -> str:
    """The table, in Markdown."""
    optimizers = [str(name) for name in result.optimizer.values]
    lines = [f"| | | {' | '.join(optimizers)} |", "| --- | --- |" + " --- |" * len(optimizers)]
    for subject in map(str, result.subject.values):
        training, _, part = subject.partition(": ")
        rows = _of_subject(result, subject)
        if part == EMBEDDINGS:
            rows += _of_training(result, training)
        name = subject if ENCODER in training else training
        for number, (quantity, cells) in enumerate(rows):
            lines.append(f"| {'' if number else name} | {quantity} | {' | '.join(cells)} |")
    return "\n".join(lines)
