"""The theory as a list of claims, one file each.

Every module of this package that doesn't start with an underscore holds one ``CLAIM``. Adding a
claim is adding a file.

Examples:
    >>> from normtheory import claims
    >>> claims.get("norm_growth").item
    '5'
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from normtheory.claims._claim import Check, Claim, Condition
from normtheory.claims._registry import get, list

if TYPE_CHECKING:
    from normtheory.verify import ClaimResult

__all__ = ["Check", "Claim", "Condition", "check", "get", "list"]


def check(name: str, *, seed: int = 0) -> ClaimResult:
    """Prove and measure one claim; see :func:`normtheory.verify.verify`.

    Args:
        name: A name from :func:`list`.
        seed: Seed of the point clouds.
    """
    # The one door from the claims to the measurements; imported late so that claims stay data.
    from normtheory.verify import verify

    get(name)
    return verify(builtins.list((name,)), seed=seed).claims[0]
