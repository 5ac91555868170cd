"""The library's own functions, held to the measurements and closed forms of the claims.

A claim names the functions that compute it (``implemented_by``), or draw what it is about. Each is
called here with all of its options, as a user calls it, and compared with what was measured by
automatic differentiation, or to rounding with the claim's closed form where that is stated exactly.
So an error in a function turns the claims that name it red.
"""

from __future__ import annotations

from normtheory.verify._library import (
    _cosine,
    _decay,
    _drift,
    _equilibrium,
    _flow,
    _interventions,
    _invariants,
    _losses,
    _pair,
    _sphere,
    _stability,
    _symmetric,
    _temperature,
)
from normtheory.verify._library._check import LibraryCheck as LibraryCheck

LIBRARY: dict[str, tuple[LibraryCheck, ...]] = {
    **_cosine.CHECKS,
    **_drift.CHECKS,
    **_decay.CHECKS,
    **_equilibrium.CHECKS,
    **_flow.CHECKS,
    **_interventions.CHECKS,
    **_invariants.CHECKS,
    **_losses.CHECKS,
    **_pair.CHECKS,
    **_sphere.CHECKS,
    **_stability.CHECKS,
    **_symmetric.CHECKS,
    **_temperature.CHECKS,
}
"""Dotted public name of a function to its checks."""
