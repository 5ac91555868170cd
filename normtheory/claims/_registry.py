"""All claims by name: every module of the package that isn't private holds one.

Apart from the door, which hands claims to ``verify``, so that ``verify`` can read this.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from pathlib import Path

from normtheory._names import unknown
from normtheory.claims._claim import Claim

_PACKAGE = __name__.rpartition(".")[0]


@functools.cache
def _all() -> dict[str, Claim]:
    names = [
        m.name
        for m in pkgutil.iter_modules([str(Path(__file__).parent)])
        if not m.name.startswith("_")
    ]
    found = [importlib.import_module(f"{_PACKAGE}.{name}").CLAIM for name in names]
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
    if not isinstance(name, str) or name not in known:
        raise ValueError(unknown("claim", name, known))
    return known[name]
