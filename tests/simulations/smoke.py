"""The smallest run of every experiment, once for all tests that read it, in all workers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import simulations
from simulations import _store

DEAR = {"predicted"}
"""Experiments whose parts have quick tests of their own: their smallest run is for slow tests."""


def cases(names: Iterable[str], slow: Collection[str] = DEAR) -> list[Any]:
    """Names as parameters of a test, by default of one that reads the smallest run of each."""
    return [pytest.param(n, marks=[pytest.mark.slow] * (n in slow)) for n in names]


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
