"""The five assertions take the same arguments, and a failing test shows its own line."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from normtheory import testing

NAMES = [name for name in testing.__all__ if name.startswith("assert_")]


@pytest.mark.parametrize("name", NAMES)
def test_names_words_and_arguments(name: str):
    assertion = getattr(testing, name)
    assert assertion.__name__ == assertion.__qualname__ == name
    assert assertion.__doc__.startswith(("Assert that", "Assert all"))
    assert list(inspect.signature(assertion).parameters) == [
        "loss", "n", "dimension", "norms", "backend", "dtype", "tolerance", "max_examples", "seed",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_failing_test_shows_its_own_line(name: str):
    with pytest.raises(AssertionError) as caught:
        # Slowly and against the embedding: no law holds.
        getattr(testing, name)(lambda z: np.sum(z * z) / 2, backend="numpy")
    shown = [entry for entry in caught.traceback if not entry.ishidden(caught)]
    assert {Path(entry.path).name for entry in shown} == {Path(__file__).name}
