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
import difflib
import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING

from normtheory.claims._claim import Check, Claim, Condition

if TYPE_CHECKING:
    from normtheory.verify import ClaimResult

__all__ = ["Check", "Claim", "Condition", "check", "get", "list"]


@functools.cache
def _all() -> dict[str, Claim]:
    names = [m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    found = [importlib.import_module(f"{__name__}.{name}").CLAIM for name in names]
    for name, claim in zip(names, found, strict=True):
        if claim.name != name:
            raise ValueError(f"claims/{name}.py holds a claim that calls itself {claim.name!r}")
    found.sort(key=lambda claim: [int(part) for part in claim.item.split(".")])
    return {claim.name: claim for claim in found}


def list() -> tuple[str, ...]:
    """Names of all claims, in the order of the theory."""
    return tuple(_all())


def get(name: str) -> Claim:
    """The claim called ``name``.

    Raises:
        ValueError: No claim has this name; the message lists close matches or all names.
    """
    known = _all()
    if name not in known:
        close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(close)}?" if close else f"known: {', '.join(known)}"
        raise ValueError(f"no claim is called {name!r}; {hint}")
    return known[name]


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
