"""What the experiment on scaling measures; how long it took is nobody's test."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest
import xarray as xr

import figures
from simulations import _ways, scaling

from .smoke import smoke


def test_every_size_of_every_force_is_measured() -> None:
    result = smoke("scaling")
    found = list(zip(result.force.values, result.way.values, result.n.values.tolist(), strict=True))
    expected = [("pairs", "streamed", n) for n in scaling.SMOKE.pairs]
    assert found == expected + [("info_nce", "streamed", n) for n in scaling.SMOKE.points]
    assert (result.seconds > 0).all()
    # Python with JAX in bytes: between 100 MB and 2 GB.
    assert ((result.peak_memory > 1e8) & (result.peak_memory < 2e9)).all()


def test_a_way_is_left_out_beyond_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measure(force: str, way: str, sizes: tuple[int, ...], *_: int, **__: object) -> list:
        asked.append((force, way, sizes))
        return [{"n": n, "seconds": 1.0, "peak": 1.0} for n in sizes]

    monkeypatch.setattr(scaling, "measure", measure)
    monkeypatch.setattr(scaling, "find_spec", lambda name: None)  # no PyTorch here
    settings = dataclasses.replace(scaling.SMOKE, dense_points=64, rivals=512)
    scaling.run(settings)
    assert asked == [
        ("pairs", "streamed", (512, 1024)),
        ("pairs", "dense", (512,)),
        ("pairs", "optax", (512,)),
        ("info_nce", "streamed", (64, 128)),
        ("info_nce", "dense", (64,)),
    ]


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"^nope, streamed, n up to 4: .*'nope'"):
        scaling.measure("nope", "streamed", (4,), 2, rounds=1)


@pytest.mark.slow
@pytest.mark.parametrize("force", ["pairs", "info_nce", "decoupled"])
@pytest.mark.parametrize("way", ["dense", "optax", pytest.param("torch", marks=pytest.mark.torch)])
def test_the_other_ways_run(force: str, way: str) -> None:
    if way == "torch":
        pytest.importorskip("torch")
    asked = {
        "force": force,
        "way": way,
        "sizes": (8, 4),
        "dimension": 3,
        "rounds": 1,
        "learning_rate": 0.02,
        "seed": 0,
    }
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # optax
        assert [row["n"] for row in _ways.main(asked)] == [4, 8]


def test_the_exponent_is_the_slope_of_the_larger_sizes() -> None:
    n = np.array([10, 20, 40, 80, 160, 320])
    seconds = 1e-6 * n**2.0
    seconds[:3] = 1.0  # a fixed cost
    one = xr.Dataset({"seconds": ("run", seconds)}, coords={"n": ("run", n)})
    exponent = figures.get("scaling").exponent
    np.testing.assert_allclose(exponent(one), (2.0, 0.0), atol=1e-6)
    np.testing.assert_allclose(exponent(one.isel(run=[3, 5]))[0], 2.0)
    assert np.isnan(exponent(one.isel(run=[3]))).all()
