"""Counts what JAX compiles."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax

_COUNTS: list[int] = [0]


def _listen(event: str, duration_secs: float, **kwargs: Any) -> None:
    if event == "/jax/core/compile/backend_compile_duration":
        _COUNTS[0] += 1


jax.monitoring.register_event_duration_secs_listener(_listen)


@contextlib.contextmanager
def counted() -> Iterator[list[int]]:
    """A list whose only entry is, after the block, how many programs it compiled."""
    found = [0]
    before = _COUNTS[0]
    yield found
    found[0] = _COUNTS[0] - before
