"""Does a loss say the same of one cloud twice? If not: does it draw numbers, or remember?"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator

import numpy as np

from normtheory.testing._evaluate import Evaluator

__tracebackhide__ = True  # pytest shows the line of the test, not ours

_CALLS = 7
"""So many values that are drawn come in order by chance once in 2520 times."""


def change(evaluator: Evaluator, z: np.ndarray, first: float) -> str:
    """What is wrong with a loss that is no function of the cloud; empty if it is one.

    Args:
        evaluator: of the loss.
        z: a cloud (n, d).
        first: what the loss was there.
    """
    evaluator.value(np.roll(z, 1, axis=1))  # between them another: a mean of what was seen moves on
    second = evaluator.value(z)
    if first == second:
        return ""
    digits = next(k for k in range(6, 18) if f"{first:.{k}g}" != f"{second:.{k}g}")
    told = f"returned {first:.{digits}g} and then {second:.{digits}g} on the same cloud; "
    return told + _reason(evaluator, z)


def _reason(evaluator: Evaluator, z: np.ndarray) -> str:
    if _seeded(evaluator, z) == _seeded(evaluator, z):
        return "it draws random numbers: fix its seed"
    steps = np.diff([evaluator.value(z) for _ in range(_CALLS)])
    if (steps >= 0).all() or (steps <= 0).all():
        return (
            "it keeps a state that its calls change, such as a running mean, a centre or a queue: "
            "hold that fixed while it is tested"
        )
    return (
        "it draws random numbers from a generator of its own, or keeps a state that its calls "
        "change: make that anew in each call"
    )


def _seeded(evaluator: Evaluator, z: np.ndarray) -> float:
    """The loss with the random numbers of Python, numpy and PyTorch begun anew."""
    with _borrowed_seeds():
        return evaluator.value(z)


@contextlib.contextmanager
def _borrowed_seeds() -> Iterator[None]:
    """Global generators with a seed, and afterwards as the user had them."""
    torch = sys.modules.get("torch")
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002 (the user's own)
    tensors = torch.get_rng_state() if torch else None
    try:
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        if torch:
            torch.default_generator.manual_seed(0)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        if torch:
            torch.set_rng_state(tensors)
