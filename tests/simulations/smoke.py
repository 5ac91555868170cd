"""The smallest run of every experiment, once for all tests that read it."""

from __future__ import annotations

from functools import cache

import xarray as xr

import simulations


@cache
def _run(name: str) -> xr.Dataset:
    module = simulations.get(name)
    return module.run(module.SMOKE)


def smoke(name: str) -> xr.Dataset:
    """A copy of the result of the smallest run."""
    return _run(name).copy(deep=True)
