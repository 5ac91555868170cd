"""Several ways timed in turn, so that whatever else the machine does meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any


def in_turn(
    ways: Mapping[str, Callable[[], Any]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Least time of each way in seconds, over rounds in which they take turns.

    Args:
        ways: name -> a call that returns when its work is done. Each is called once first, so that
            compiling and first allocations are not counted.
        rounds: how often each is timed.
        clock: of the wall, or ``time.process_time``, which other programs hardly touch.

    Returns:
        Name -> seconds. The least, because other programs can only add to a time.
    """
    for call in ways.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in ways.items():
            begin = clock()
            call()
            times[name].append(clock() - begin)
    return {name: min(found) for name, found in times.items()}


def milliseconds(seconds: float) -> str:
    """Three digits, in ms."""
    return f"{1e3 * seconds:.3g}"
