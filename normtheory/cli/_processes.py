"""Several processes that run one configuration together."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

import jax

from normtheory.cli._options import UsageError
from normtheory.particles._processes import ALONE, Share

AUTO = "auto"


def join(processes: str | None, index: int | None, coordinator: str | None) -> Share:
    """Wait for the others, where there are any; JAX then sees the devices of all.

    Args:
        processes: how many there are, or ``auto`` where a cluster says it and the rest too.
        index: which of them this one is.
        coordinator: address and port of process 0.

    Returns:
        The part of this process.

    Raises:
        UsageError: something is missing or impossible. Where the others don't come in five
            minutes, JAX ends the process.
    """
    if processes is None:
        for option, value in (("--process-id", index), ("--coordinator", coordinator)):
            if value is not None:
                raise UsageError(f"{option}: expected --processes too")
        return ALONE
    count = None
    if processes != AUTO:
        count = _count(processes)
        if index is None or not 0 <= index < count:
            got = "none" if index is None else index
            raise UsageError(f"--process-id: expected one of 0 to {count - 1}, got {got}")
        if coordinator is None:
            raise UsageError("--coordinator: missing, expected HOST:PORT of process 0")
    if coordinator is not None and not re.fullmatch(r".+:\d{1,5}", coordinator):
        raise UsageError(f"--coordinator: expected HOST:PORT, got {coordinator}")
    try:
        # What only this machine can reach is not opened to others.
        local = coordinator is not None and coordinator.startswith(("127.", "localhost:"))
        bind = coordinator if local and index == 0 else None
        jax.distributed.initialize(coordinator, count, index, coordinator_bind_address=bind)
    except (ValueError, RuntimeError) as error:
        hint = "no cluster that says all, give a number; " if count is None else ""
        raise UsageError(f"--processes {processes}: {hint}{error}") from None
    return Share(jax.process_index(), jax.process_count())


@contextlib.contextmanager
def output_kept(share: Share) -> Iterator[None]:
    """Keep standard output for the result: libraries that connect processes print to it."""
    if share.count == 1:
        yield
        return
    try:
        kept = os.dup(1)
    except OSError:  # there is none
        yield
        return
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _count(processes: str) -> int:
    if not processes.isdecimal() or not 1 <= int(processes) < 2**31:
        raise UsageError(f"--processes: expected a number >= 1 or {AUTO}, got {processes}")
    return int(processes)
