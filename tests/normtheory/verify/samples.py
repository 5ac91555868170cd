"""The samples of the claims on reduced clouds, measured once for all files that judge them."""

from __future__ import annotations

from normtheory.claims._claim import Check, Condition
from normtheory.verify._verify import _measurer

#: Measured when first asked for.
REDUCED = _measurer(1, 16, (3,))

#: Of about a second and more in all their settings: the slow tests alone make them.
DEAR = frozenset(
    (
        *("lion_equilibrium", "adamw_equilibrium", "adam_growth", "frequency_norms"),
        *("hard_anchors", "simplex_count", "simplex_slope", "equiangular_ends", "gap_run"),
        *("random_decay", "adam_equilibrium", "momentum_equilibrium", "equiangular"),
        *("every_loss", "fresh_directions", "rescaled_optimizer"),
    )
)


def dear(check: Check | Condition) -> bool:
    """Whether a check needs a long run."""
    return check.measurement in DEAR
