"""The smallest run of every experiment, once for all tests that read it, in all workers.

Figures of experiments that take long are drawn from results kept in ``tests/data/smoke``;
``python -m tests.simulations.smoke`` makes them anew.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import simulations
from simulations import _store

DEAR = {"class_imbalance", "confidence", "cut_init", "encoder_drift", "equiangular", "equilibria"}
DEAR |= {"gradscale_training", "interventions", "norm_and_frequency", "optimizers", "predicted"}
DEAR |= {"quartic_growth", "radial_drift", "scaling"}
"""Experiments that compile much: their smallest run is for slow tests.

Their parts have quick tests of their own, and two that train networks are run by default:
``density`` and ``weight_decay_training``.
"""

KEPT = Path(__file__).parents[1] / "data" / "smoke"
"""Results of the smallest runs of these, for tests of what is made of results."""


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


def example(name: str) -> xr.Dataset:
    """A result as the smallest run has it, for tests to which its numbers are nothing special."""
    return xr.load_dataset(KEPT / f"{name}.nc") if name in DEAR else smoke(name)


def _main() -> None:
    for name in sorted(DEAR):
        _store.write(smoke(name), KEPT / f"{name}.nc")
    shutil.rmtree(folder())


if __name__ == "__main__":
    _main()
