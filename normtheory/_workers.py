"""Many items by several processes, each a Python of its own that keeps what it has learnt."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

__all__ = ["cores", "shared"]

#: What tells numpy's and JAX's libraries how many threads to run.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PJRT_NPROC")
#: Several processes have one accelerator, of which JAX would take most for the first.
_SHARING = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def cores() -> int:
    """The processor cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def shared(
    make: Callable[[], Callable[[Any], Any]], items: Sequence[Any], processes: int
) -> Iterator[tuple[int, Any]]:
    """Place and result of every item, each as soon as it is there.

    The processes end with the generator, and with this process. They are spawned: a script that
    asks for them does so under ``if __name__ == "__main__":``.

    Args:
        make: called once in each process, gives what is called with the items. What is pickled:
            a function of a module, or a partial of one.
        items: what is handed out, in this order; pickled like the results.
        processes: how many, and no more than there are items.

    Raises:
        RuntimeError: a process ended before its item was done.
        Exception: what came of an item; a note has the place in the process.
    """
    left = iter(enumerate(items))
    processes = min(processes, len(items))
    at: dict[Connection, int] = {}

    def hand_out(line: Connection) -> None:
        for place, item in left:
            at[line] = place
            with contextlib.suppress(OSError):  # it has ended, which reading tells
                line.send(item)
            return

    started: list[BaseProcess] = []
    try:
        for _ in range(processes):
            process, line = _start(max(cores() // processes, 1))
            started.append(process)
            line.send(make)
            hand_out(line)
        while at:
            for line in wait(list(at)):
                assert isinstance(line, Connection)
                place = at.pop(line)
                try:
                    done, result = line.recv()
                except (EOFError, OSError):
                    raise RuntimeError(f"the process that had {items[place]!r} ended") from None
                if not done:
                    raise result
                hand_out(line)
                yield place, result
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.join()


def _start(threads: int) -> tuple[BaseProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, threads), daemon=True)
    # Ctrl-C goes to all processes of a terminal, and is for this one to answer: where it can be
    # blocked, what is started meanwhile never sees it.
    mask = getattr(signal, "pthread_sigmask", None)
    before = mask(signal.SIG_BLOCK, {signal.SIGINT}) if mask else None
    try:
        process.start()
    finally:
        if mask:
            mask(signal.SIG_SETMASK, before)
    there.close()  # so that the other end is the only one, and its end is seen
    return process, here


def _work(line: Connection, threads: int) -> None:
    """Answer items until there are no more, or nobody asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name, value in (_SHARING | dict.fromkeys(_THREADS, str(threads))).items():
        os.environ.setdefault(name, value)
    call = line.recv()()  # only now are the libraries loaded
    with contextlib.suppress(EOFError, OSError):
        while True:
            item = line.recv()
            try:
                answer = True, call(item)
            except Exception as error:  # noqa: BLE001 - told where it can be answered
                error.add_note(f"in the process that had {item!r}:\n{traceback.format_exc()}")
                answer = False, error
            line.send(answer)
