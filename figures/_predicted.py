"""What ``nt.predict`` says of real trainings, and what they do: one table, with errors in per cent.

``python -m figures --predicted docs/predicted.md`` writes the page, from the kept result if there
is one. All of its numbers come from there, those in sentences too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from figures._predicted_text import HEAD, TEXT
from simulations.predicted import ANEW, EMBEDDINGS, ENCODER, STAY

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
    # Two stay together in a narrow column; three may part.
    comma = ",\u00a0" if len(said) == 2 else ", "
    return f"{_number(measured)} ({comma.join(error(measured, one) for one in said)})"


def _cells(*quantities: xr.DataArray) -> list[str]:
    """One an optimizer: what is measured, and all that was said of it."""
    return [_cell(*map(float, values)) for values in zip(*quantities, strict=True)]


def _of_subject(result: xr.Dataset, subject: str) -> list[tuple[str, list[str]]]:
    one = result.sel(subject=subject)
    return [
        (
            text.format(lag=result.attrs["lag"]),
            _cells(one[key], one[f"{key}_numbers"], one[f"{key}_slope"]),
        )
        for key, text in ROWS.items()
    ]


def _of_training(result: xr.Dataset, training: str) -> list[tuple[str, list[str]]]:
    one = result.sel(training=training)
    norm = result.norm.sel(subject=f"{training}: {EMBEDDINGS}")
    # NT-Xent's is known at full alignment alone, which rounding hides.
    aligned = one.floor_aligned.where(training.startswith("CLIP"))
    by_motion = [error(*map(float, pair)) for pair in zip(norm, one.implied, strict=True)]
    return [
        ("loss", _cells(one.loss, one.floor, aligned, one.floor_drawn)),
        ("norm by D and s", by_motion),
    ]


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


def span(values: Any, *, percent: bool = True) -> str:
    """From the least to the greatest of numbers, in per cent if they are errors."""
    found = np.asarray(values, dtype=float)
    found = found[np.isfinite(found)]
    ends = (found.min(), found.max()) if found.size else (np.nan, np.nan)
    if not percent:
        low, high = (f"{x:.2g}" for x in ends)
        return low if low == high else f"{low} to {high}"
    digits = 1 if max(map(abs, ends)) < 0.0995 else 0
    low, high = (f"{round(100 * x, digits) + 0.0:+.{digits}f}" for x in ends)
    return f"{low} %" if low == high else f"{low} to {high} %"


class _Errors:
    """Errors of a result, by what turns."""

    def __init__(self, result: xr.Dataset) -> None:
        names = [str(name) for name in result.subject.values]
        self.result = result
        self.free = [name for name in names if ENCODER not in name]
        self.stay = [name for name in names if STAY in name]
        self.weights = [name for name in names if "layer" in name]
        self.encoders = [name for name in names if ENCODER in name and EMBEDDINGS in name]

    def of(
        self, quantity: str, subjects: Sequence[str], *optimizers: str, kind: str = "slope"
    ) -> str:
        """From which to which a quantity is off, of some optimizers, or of all."""
        one = self.result.sel(subject=list(subjects))
        one = one.sel(optimizer=list(optimizers)) if optimizers else one
        return span(one[quantity] / one[f"{quantity}_{kind}"] - 1)

    def loss(self, kind: str, floor: str) -> str:
        """By how much losses of the trainings of a kind are above a floor."""
        chosen = [str(name) for name in self.result.training.values if kind in str(name)]
        one = self.result.sel(training=chosen)
        return span(one.loss / one[floor] - 1)

    def motion(self, subjects: Sequence[str]) -> str:
        """By how much norms differ from those by D and s."""
        found = []
        for name in subjects:
            implied = self.result.implied.sel(training=name.partition(": ")[0])
            found.append(self.result.norm.sel(subject=name) / implied - 1)
        return span(xr.concat(found, "subject", coords="minimal", compat="override"))


def numbers(result: xr.Dataset) -> dict[str, str]:
    """All that sentences of the page say in numbers, by name."""
    e, settings = _Errors(result), json.loads(result.attrs["settings"])
    balls, by_size = ("SGD", "heavy ball"), ("SGD", "heavy ball", "Adam + L2")
    fresh = (1 - 1 / settings["dimension"]) ** 0.5 / settings["temperature"] / settings["pairs"]
    encoders = result.sel(subject=e.encoders)
    times = encoders.turn / encoders.turn_slope
    pull = result.pull.sel(
        optimizer="SGD", training=[name.partition(": ")[0] for name in e.encoders]
    )
    found = {
        "free_norm_balls": e.of("norm", e.free, *balls),
        "free_turn_balls": e.of("turn", e.free, *balls),
        "free_norm_adamw": e.of("norm", e.free, "AdamW"),
        "free_norm_lion": e.of("norm", e.free, "Lion"),
        "free_turn_lion": e.of("turn", e.free, "Lion"),
        "free_norm_l2": e.of("norm", e.free, "Adam + L2"),
        "free_norm_numbers": e.of("norm", e.free, *by_size, kind="numbers"),
        "free_turn_l2_numbers": e.of("turn", e.free, "Adam + L2", kind="numbers"),
        "free_lag": e.of("turn_lag", e.free),
        "free_steps_stay": e.of("steps", e.stay, *balls),
        "free_steps": e.of("steps", e.free),
        "free_slope": span(result.slope.sel(subject=e.free), percent=False),
        "fresh": f"{fresh:.2g}",
        "loss_stay": e.loss(STAY, "floor"),
        "loss_drawn": e.loss(STAY, "floor_drawn"),
        "loss_anew": e.loss(ANEW, "floor"),
        "loss_encoder": e.loss(ENCODER, "floor"),
        "weights_norm_sgd": e.of("norm", e.weights, "SGD"),
        "weights_turn_balls": e.of("turn", e.weights, *balls),
        "weights_norm_ball": e.of("norm", e.weights, "heavy ball"),
        "weights_norm_adamw": e.of("norm", e.weights, "AdamW"),
        "weights_norm_lion": e.of("norm", e.weights, "Lion"),
        "weights_norm_l2": e.of("norm", e.weights, "Adam + L2"),
        "weights_steps": e.of("steps", e.weights, "SGD", "heavy ball"),
        "encoder_norm": e.of("norm", e.encoders),
        "encoder_norm_numbers": e.of("norm", e.encoders, kind="numbers"),
        "encoder_turn": span(times, percent=False),
        "encoder_pull": span(pull).replace("+", ""),
        "encoder_motion": e.motion(e.encoders),
        "free_motion": e.motion(e.free),
        "apart_free": span(result.apart.sel(subject=e.free)).replace("+", ""),
        "apart_encoder": span(encoders.apart).replace("+", ""),
    }
    return {**found, **_of_settings(settings)}


def _of_settings(settings: dict[str, Any]) -> dict[str, str]:
    """What the head of the page says of the run."""
    lag, share = settings["lag"], settings["share"]
    before, late = settings["burn_in"] * lag, settings["blocks"] * lag
    named = ("pairs", "items", "members", "probe", "lag", "hidden", "dimension", "runs")
    found = {name: str(settings[name]) for name in named}
    return found | {
        "temperature": f"{settings['temperature']:g}",
        "share": f"{share:g}",
        "beta_2": f"{settings['beta_2']:g}",
        "steps": str(before + late),
        "late": str(late),
        "memories": f"{before * (1 - settings['beta_2']):.0f}",
        "relaxations": f"{2 * share * before:.1f}",
    }


def page(result: xr.Dataset) -> str:
    """The page, in Markdown."""
    said = numbers(result)
    return "\n".join([HEAD.format(**said), table(result), "", TEXT.format(**said)])
