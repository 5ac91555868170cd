"""What is made of the counts under other optimizers, from counts that are made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from simulations import optimizers


def test_exponents_are_those_between_neighbouring_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    swept: dict[int, list[float]] = {}
    seen = []

    def sweep(system: Any, start: Any, over: dict[str, Any], *_: Any, **__: Any) -> xr.Dataset:
        if id(system) not in swept:
            seen.append(system)
        swept.setdefault(id(system), []).extend(over["norm"])
        norm = np.asarray(over["norm"])[:, None] * np.ones(len(over["seed"]))
        dims = ("norm", "seed")
        # Cubes below norm 4, and from there on squares.
        steps = np.where(norm <= 4, norm**3, 4 * norm**2)
        return xr.Dataset({"steps": (dims, steps), "converged": (dims, norm > 0)})

    monkeypatch.setattr(optimizers.particles, "sweep", sweep)
    result = optimizers.run(optimizers.Settings(norms=(1.0, 16.0), points=3, starts=2))
    np.testing.assert_allclose(result.norm, [1, 4, 16], rtol=1e-14)
    np.testing.assert_allclose(list(swept.values()), [[1, 4, 16]] * 5, rtol=1e-14)
    np.testing.assert_allclose(result.interval_norm, [2, 8], rtol=1e-14)
    expected = np.broadcast_to(np.array([3.0, 2.0])[:, None], (5, 2, 2))
    np.testing.assert_allclose(result.exponent, expected, rtol=1e-12)
    # A sum, so that no gradient is made small by the number of pairs.
    assert {system.reduction for system in seen} == {"sum"}
    assert [None if s.optimizer is None else s.optimizer.numbers for s in seen] == [
        None,
        {"decay": 0.9},
        {"b1": 0.9, "b2": 0.999, "eps": 0.0},
        {"b1": 0.9, "b2": 0.999, "eps": 0.03},
        {"b1": 0.9, "b2": 0.999, "eps": 0.0},
    ]
    assert [s.learning_rate for s in seen] == [0.1, 0.1, 0.002, 0.002, 0.002]
    assert [s.weight_decay for s in seen] == [None] * 4 + [0.05]
