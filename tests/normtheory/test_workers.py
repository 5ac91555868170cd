"""Items shared by processes: every result at its place, and no process left behind."""

from __future__ import annotations

import functools
import math
import os
import threading
from collections.abc import Callable

import pytest

from normtheory._progress import bar
from normtheory._workers import cores, shared

ENDS = 0


def _make(power: int) -> Callable[[float], tuple[float, int, int]]:
    """(√x^power, the process, how many items it has had); ENDS ends the process."""
    had = 0

    def call(x: float) -> tuple[float, int, int]:
        nonlocal had
        had += 1
        if x == ENDS:
            os._exit(3)
        return math.sqrt(x) ** power, os.getpid(), had

    return call


make = functools.partial(_make, 2)


def test_every_item_is_answered_once_by_processes_that_go_on() -> None:
    found = dict(shared(make, [9, 16, 25, 36, 49], 2))
    assert {place: round(value) for place, (value, _, _) in found.items()} == dict(
        enumerate([9, 16, 25, 36, 49])
    )
    had: dict[int, list[int]] = {}
    for _, process, count in found.values():
        had.setdefault(process, []).append(count)
    assert os.getpid() not in had
    assert len(had) <= 2
    assert all(sorted(counts) == [*range(1, len(counts) + 1)] for counts in had.values())


def test_an_error_comes_back_with_its_place() -> None:
    with pytest.raises(ValueError, match="math domain error") as told:
        dict(shared(make, [-1.0], 3))
    (note,) = told.value.__notes__
    assert "the process that had -1.0" in note
    assert "math.sqrt(x)" in note


def test_a_process_that_ends_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"the process that had 0 ended"):
        dict(shared(make, [ENDS], 1))


def test_who_stops_asking_leaves_no_process() -> None:
    found = shared(make, [1, 4, 9], 1)
    _, (_, process, _) = next(found)
    os.kill(process, 0)  # is there
    found.close()  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_bar_leaves_nothing_when_its_process_is_killed() -> None:
    with bar(1, "item", show=False) as shown:
        lock = shown.get_lock()
    assert isinstance(lock, type(threading.RLock()))  # no semaphore of the system


def test_no_items_need_no_process() -> None:
    assert not dict(shared(make, [], 2))
    assert cores() >= 1
