"""What the temperature does to InfoNCE's gradients: a bound, and the limit of a high one."""

from __future__ import annotations

from typing import Any

import numpy as np

import normtheory as nt
from normtheory.claims import high_temperature
from normtheory.claims._contrast import ROUNDING
from normtheory.verify._library._check import LibraryCheck, by_row, library


def _bound(missing: Any, norm: Any, temperature: Any, count: Any) -> Any:
    def one(p: float, r: float, n: float, t: float) -> Any:
        return nt.temperature.info_nce_bound(p, r, int(n), t)

    return by_row(one, p=1 - missing, r=norm, n=count, t=temperature)


def _limit(z: Any, own: Any, temperature: Any, count: Any) -> Any:
    """Batch by batch, over the temperature: the points of one role, and their partners."""
    batches = (rows.reshape(-1, int(count[0, 0]), rows.shape[-1]) for rows in (z, own))
    limits = [nt.temperature.info_nce_limit(*batch) for batch in zip(*batches, strict=True)]
    return np.concatenate(limits) / temperature


def _closed_limit(z: Any, norm: Any, own: Any, others: Any, temperature: Any, count: Any) -> Any:
    return high_temperature.limit(z, norm, own, others, temperature, count)


CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.temperature.info_nce_bound": (
        library(
            "info_nce_bound",
            "contrastive",
            _bound,
            quantity="gradient_norm",
            options={"kind": "info_nce", "role": "anchors", "opposed": True},
            # 1 − p is found from p.
            scale=lambda norm, count, temperature: count * temperature * norm,
            reason=ROUNDING,
        ),
    ),
    "normtheory.temperature.info_nce_limit": (
        library(
            "info_nce_limit",
            "contrastive",
            _limit,
            quantity="gradient",
            scale=lambda norm, count, temperature: count * temperature * norm,
            unit="relative",
            tolerance=3e-4,
            off=0.01,
            reason="as in the claim: the pull is off by about 2/τ",
            options={"kind": "info_nce", "role": "both", "temperature": 1e4},
        ),
        library(
            "info_nce_limit",
            "contrastive",
            _limit,
            against=_closed_limit,
            scale=lambda norm, count, temperature: count * temperature * norm,
            reason=ROUNDING,
            options={"kind": "info_nce", "role": "both", "temperature": 1e4},
        ),
    ),
}
