"""What only running tells: the residuals of proofs and what measurements hand out.

It is kept in the build folder under a hash of the sources that it came from.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import sympy as sp
from page_parts import ROOT, write

from normtheory import claims
from normtheory.claims import Claim
from normtheory.verify import MEASUREMENTS

KEPT = ROOT / "docs" / "_build" / "found.json"
_CLAIMS = ROOT / "normtheory" / "claims"


def sources(claim: str) -> list[Path]:
    """The files of the claims that one of them is made from, itself first."""
    found = [_CLAIMS / f"{claim}.py"]
    for path in found:
        for name in re.findall(r"from normtheory\.claims\.(\w+) import", path.read_text("utf-8")):
            if (path := _CLAIMS / f"{name}.py") not in found:
                found.append(path)
    return found


def kept(name: str, files: Iterable[Path], version: str, find: Callable[[], Any]) -> Any:
    """What was found before from the same files and version, or else what is found now."""
    digest = hashlib.sha256(version.encode())
    for path in files:
        digest.update(path.read_bytes())
    key = digest.hexdigest()
    memory = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    if memory.get(name, {}).get("key") != key:
        memory[name] = {"key": key, "found": find()}
        write(KEPT, json.dumps(memory, indent=1))
    return memory[name]["found"]


def residuals(claim: Claim) -> list[str]:
    """The names of the residuals, all of them zero; runs the proof where it is new."""
    return kept(
        f"proof of {claim.name}",
        sources(claim.name),
        sp.__version__,
        lambda: [str(name) for name in claim.proof()],
    )


def _options(name: str) -> dict[str, Any]:
    """Options of a measurement as the first check has them that asks for it."""
    asked = (
        (check.measurement, check.options)
        for claim in map(claims.get, claims.list())
        for check in (*claim.checks, *claim.conditions)
    )
    return dict(next((options for measurement, options in asked if measurement == name), {}))


def _measured() -> dict[str, dict[str, list[str]]]:
    """Names of the inputs, of the measured values and of the options of every measurement."""
    logging.getLogger("jax").setLevel(logging.WARNING)  # devices that it looked for in vain
    found = {}
    for name, measurement in MEASUREMENTS.items():
        with jax.enable_x64(True):
            rng = np.random.default_rng(0)
            sample = measurement.function(min(measurement.dimensions), 4, rng, **_options(name))
        found[name] = {
            "inputs": sorted(sample.inputs),
            "values": sorted(sample.values),
            "options": [*inspect.signature(measurement.function).parameters][3:],
        }
    return found


def measured() -> dict[str, dict[str, list[str]]]:
    """What measurements hand out; runs each of them once where one is new."""
    files = sorted((ROOT / "normtheory" / "verify").glob("*.py"))
    return kept("measurements", files, jax.__version__, _measured)
