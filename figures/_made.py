"""The results that figures are drawn from: run here, or several at a time by processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

import figures
import simulations
from normtheory._workers import shared
from simulations import _store
from simulations._cores import use_all_cores


class Made(NamedTuple):
    """What came of the experiment of a figure.

    Attributes:
        name: of the figure.
        data: what it is drawn from; None where it needs no experiment.
        seconds: that it took.
        missing: the error where an extra is not installed; None otherwise.
    """

    name: str
    data: xr.Dataset | None
    seconds: float
    missing: ModuleNotFoundError | None = None


def made(
    names: Sequence[str], settings: Mapping[str, Any], *, force: bool, jobs: int
) -> Iterator[Made]:
    """The results of figures, as soon as each is there.

    Args:
        names: of the figures, in the order in which they are begun.
        settings: of their experiments, where not the full ones.
        force: run the experiments even if results are kept.
        jobs: processes; 1 is this one. An experiment that takes the time of its own runs is done
            here when no other runs any more.
    """
    items = [(name, settings.get(name), force) for name in names]
    if jobs == 1:
        yield from map(_make, items)
        return
    together = [item for item in items if not _alone(item[0])]
    for _, found in shared(partial(_worker, _store.RESULTS), together, jobs):
        yield found
    yield from (_make(item) for item in items if _alone(item[0]))


def _alone(name: str) -> bool:
    return name in simulations.names() and getattr(simulations.get(name), "ALONE", False)


def _worker(results: Path) -> Callable[[Any], Made]:
    """What a process calls; it keeps results where this one does."""
    use_all_cores()
    _store.RESULTS = results
    return _make


def _make(item: tuple[str, Any, bool]) -> Made:
    name, settings, force = item
    start = time.perf_counter()
    try:
        data = figures.result(name, force=force, settings=settings)
    except ModuleNotFoundError as error:
        return Made(name, None, time.perf_counter() - start, error)
    return Made(name, data, time.perf_counter() - start)
