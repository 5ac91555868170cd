"""How processes divide what they do, without the processes."""

from __future__ import annotations

import numpy as np
import pytest

from normtheory.particles._processes import Share

WHOLE = np.arange(10.0).reshape(5, 2)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_parts_are_equally_long_and_come_together(monkeypatch, count):
    parts = [Share(k, count).items(WHOLE) for k in range(count)]  # pyright: ignore
    assert {len(part) for part in parts} == {-(-5 // count)}
    monkeypatch.setattr(Share, "gathered", lambda *_: np.stack(parts))
    found = Share(0, count).whole({"x": np.asarray(parts[0])}, 5)
    np.testing.assert_array_equal(found["x"], WHOLE)
