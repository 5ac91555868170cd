"""Two checkpoints: how embeddings were pulled along and across themselves, and where that leads."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from normtheory.diagnosis._options import Options
from normtheory.diagnosis._quantity import PLAIN, quantity
from normtheory.diagnosis._rows import Rows
from normtheory.drift import pulls, radial_drift_is_stable, radial_drift_norm

_CLAIM = "claim radial_drift"
_EPS = {"bfloat16": 2**-7, "float16": 2**-10, "float32": 2**-23}


@dataclass(frozen=True)
class ChangeSummary:
    """What happened to the embeddings since the earlier checkpoint.

    Attributes:
        growth: median norm now over median norm before.
        shrunk: share of the norms that shrank.
        turned: median angle between before and now, radians.
        radial: γD, mean over the embeddings, in the unit of z squared; positive outwards.
        tangential: γs, root of the mean square, the same unit.
        norm: the norm that these lead to; None where there is none.
        why_not: why there is none, or why runs would not end there; empty where they would.
    """

    growth: float = field(metadata=quantity("median norm, now / before", "ratio", PLAIN))
    shrunk: float = field(metadata=quantity("share of norms that shrank", "share", PLAIN))
    turned: float = field(
        metadata=quantity("turned since", "median angle of ẑ before and now", PLAIN, "radians")
    )
    radial: float = field(
        metadata=quantity("pull along, γD", "mean of ρ ẑ·(z' - αz), from z to z'", _CLAIM)
    )
    tangential: float = field(
        metadata=quantity("pull across, γs", "r.m.s. of ρ ‖(z' - αz) across ẑ‖", _CLAIM)
    )
    norm: float | None = field(
        metadata=quantity(
            "norm they lead to", "nt.drift.radial_drift_norm of γD, γs and α", _CLAIM, "unit of z"
        )
    )
    why_not: str


def summarise_change(rows: Rows, before: Rows, options: Options) -> ChangeSummary:
    """From embeddings now and before, of the same samples.

    What decay took is (1 - ηλ)^updates of every embedding, if rate and decay are given; else it is
    part of the pull along.
    """
    lost = 0.0
    if options.learning_rate is not None and options.weight_decay:
        lost = 1 - float((1 - options.learning_rate * options.weight_decay) ** options.updates)
    unit = float(max(rows.norms.max(), before.norms.max()))
    n = len(rows)
    angle = np.empty(n)
    for start in range(0, n, rows.block):
        places = np.arange(start, min(start + rows.block, n))
        old = before.directions(places)
        new = rows.directions(places) * (rows.norms[places] / unit)[:, None]
        radial = (new * old).sum(axis=1)
        angle[places] = np.arctan2(np.linalg.norm(new - radial[:, None] * old, axis=1), radial)
    along, across = pulls(before.norms / unit, rows.norms / unit, angle, lost)
    pull, heat = float(along.mean()), float(np.sqrt((across**2).mean()))
    if heat <= _EPS.get(rows.dtype, 2**-52) * np.sqrt(((before.norms / unit) ** 4).mean()):
        heat = 0.0  # a rounding of the numbers as they were kept
    norm, why_not = _leads_to(lost, pull, heat)
    return ChangeSummary(
        growth=float(np.percentile(rows.norms / unit, 50) / np.percentile(before.norms / unit, 50)),
        shrunk=float((rows.norms < before.norms).mean()),
        turned=float(np.median(angle)),
        radial=pull * unit * unit,
        tangential=heat * unit * unit,
        norm=None if norm is None else norm * unit,
        why_not=why_not,
    )


def _leads_to(lost: float, pull: float, heat: float) -> tuple[float | None, str]:
    """ρ* of the recursion, in which the rate only stands beside D and s: it is taken as 1."""
    if heat == 0:
        return None, "no direction has changed"
    if lost == 0 and pull >= 0:
        return None, "nothing shrinks the norms: they grow for ever"
    setting = (1.0, lost, pull, heat)
    stable = bool(radial_drift_is_stable(*setting))
    said = "" if stable else "the pull inwards is too strong: norms swing about it"
    return float(radial_drift_norm(*setting)), said
