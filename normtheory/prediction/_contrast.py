"""Rows of a contrastive loss: its floor, the best temperature, SigLIP's bias, the modality gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from normtheory._arrays import check_count, check_option, check_values
from normtheory.prediction._row import Row, row, unknown, warned
from normtheory.prediction._setting import LOSSES, Setting
from normtheory.symmetric import gap_exponent, loss_floor
from normtheory.temperature import best_scale, noisy_loss_floor, siglip_bias


@dataclass(frozen=True)
class Contrast:
    """What is said of the loss; :func:`normtheory.predict` says what the fields are."""

    loss: str | None
    negatives: int | None
    alignment: float
    margin: float | None
    wrong: float | None
    cosine: float
    scale_rate: float | None

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError naming what was expected and what came."""
        if self.loss is not None and self.loss not in LOSSES:
            raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {self.loss!r}")
        if self.negatives is not None:
            check_count("negatives", self.negatives, 1)
        for name in ("alignment", "cosine"):
            check_values(name, np.asarray(self._number(name)), least=-1.0, most=1.0)
        for name in ("margin", "wrong", "scale_rate"):
            if getattr(self, name) is not None:
                check_values(name, np.asarray(self._number(name)), above=0.0)
        if (self.margin is None) != (self.wrong is None):
            raise ValueError("margin and wrong: expected both or neither, for a best temperature")

    def _number(self, name: str) -> float:
        return check_option(name, getattr(self, name))


def contrast_rows(run: Setting, about: Contrast) -> list[Row]:
    """The rows for which the numbers were given; where one is missing, which."""
    rows: list[Row] = []
    if about.loss is not None:
        rows.append(_bias(run, about) if about.loss == "siglip" else _floor(run, about))
    if about.margin is not None and about.wrong is not None:
        rows += _temperature(run, about, about.margin, about.wrong)
    if about.scale_rate is not None:
        rows.append(_gap(run, about.scale_rate))
    return rows


def _missing(run: Setting) -> str:
    if run.batch_size is None:
        return "needs the batch size"
    if run.batch_size < 2:
        return "needs a batch of at least 2 pairs"
    return "needs the temperature or the scale"


def _inside(run: Setting, about: Contrast) -> bool:
    """Whether the negatives are the other pairs of the batch, in one view or both."""
    others = (run.batch_size or 1) - 1
    return about.negatives in (None, 2 * others if about.loss == "nt_xent" else others)


def _floor(run: Setting, about: Contrast) -> Row:
    n, loss = run.batch_size, str(about.loss)
    if n is None or n < 2 or run.scale is None:
        return unknown("loss_floor", _missing(run), unit="nats")
    if not _inside(run, about):
        return unknown(
            "loss_floor",
            "no closed form is known where negatives are not the other pairs of the batch",
            unit="nats",
        )
    if loss == "nt_xent" and about.alignment != 1:
        return unknown("loss_floor", "NT-Xent's floor is known at alignment 1 only", unit="nats")
    d = run.dimension
    room = None if d is None else d + 1 if about.alignment == 1 else d
    formula = "ln(1 + 2(n-1)e^(-bn/(n-1)))" if loss == "nt_xent" else (
        "ln(1 + (n-1)e^(-bn(1+s)/(2(n-1))))"
    )  # fmt: skip
    return row(
        "loss_floor",
        loss_floor(about.alignment, n, steepness=run.scale, loss=loss),
        "nats",
        f"{formula}, n = {n}, s = {about.alignment:g}",
        "alignment_floor",
        "exact as a bound on the loss of one batch; attained for "
        + ("n ≤ d+1" if about.alignment == 1 else "n ≤ d")
        + " if all batches have the same pairs; of batches drawn from N pairs the mean loss is at "
        "least that with N in place of n in the exponent",
        warning=warned(
            room is not None and n > room,
            f"not attained: {n} pairs don't fit as a simplex into d = {d}; the loss stays above",
        ),
    )


def _temperature(run: Setting, about: Contrast, margin: float, wrong: float) -> list[Row]:
    n = run.batch_size if about.negatives is None else about.negatives + 1
    if n is None or n < 2:
        why = "needs the number of negatives, or the batch size"
        return [
            unknown("best_temperature", why),
            unknown("noisy_loss_floor", why, unit="nats"),
        ]
    model = f"model: every margin is Δ = {margin:g}, partners are wrong at the rate ε = {wrong:g}"
    return [
        row(
            "best_temperature",
            1 / best_scale(margin, wrong, n),
            "",
            f"1/b*, b* = ln((n-1)(1-ε)/ε)/Δ, n = {n} to choose from",
            "temperature",
            f"exact in the {model}",
        ),
        row(
            "noisy_loss_floor",
            noisy_loss_floor(wrong, n),
            "nats",
            "-(1-ε)ln(1-ε) - ε ln(ε/(n-1)), at the best temperature",
            "temperature",
            f"exact in the {model}",
        ),
    ]


def _bias(run: Setting, about: Contrast) -> Row:
    n = run.batch_size
    if n is None or n < 2 or run.scale is None:
        return unknown("siglip_bias", _missing(run))
    return row(
        "siglip_bias",
        siglip_bias(run.scale, about.cosine, n),
        "",
        f"-ln(n-1) - bc, n = {n}, c = {about.cosine:g}",
        "temperature",
        "exact where all cosines are alike, about what a random start has",
    )


def _gap(run: Setting, scale_rate: float) -> Row:
    n = run.batch_size
    if n is None or n < 2 or run.reduction != "mean":
        return unknown("gap_exponent", "needs the batch size of a mean over at least 2 pairs")
    if run.adaptive:
        why = f"no power law: with {run.optimizer} on the scale it fails, on embeddings none is"
        return unknown("gap_exponent", f"{why} derived", claim="modality_gap")
    options: Any = {"gradscale": run.gradscale}
    momentum = run.optimizer == "momentum"
    return row(
        "gap_exponent",
        gap_exponent(run.norm, n, run.learning_rate, scale_rate, **options),
        "",
        f"κ = γ_e ρ^(p-2)/(nγ_s), n = {n}: the gap goes as b^(-κ) while ln b is learned",
        "modality_gap",
        (
            "leading order in the rates, with the same momentum on the scale,"
            if momentum
            else "exact for a step"
        )
        + " in the symmetric state at the norm of now, n being all pairs: smaller batches raise "
        "norms, and so lower κ",
    )
