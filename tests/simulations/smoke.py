"""The smallest run of every experiment, once for all tests that read it, in all workers."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

import xarray as xr

import simulations
from simulations import _store


def folder() -> Path:
    """Where the workers of one test run leave results for each other."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    return Path(tempfile.gettempdir()) / f"normtheory-smoke-{run}"


@cache
def _run(name: str) -> xr.Dataset:
    return _store.result(name, simulations.get(name).SMOKE, folder=folder())


def smoke(name: str) -> xr.Dataset:
    """A copy of the result of the smallest run."""
    return _run(name).copy(deep=True)
