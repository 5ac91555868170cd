"""What the experiment on scaling measures; how long it took is nobody's test."""

from __future__ import annotations

import dataclasses
import resource
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr

import figures
import normtheory.losses
from simulations import _ways, scaling

from .smoke import smoke


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("force", "way", "most"),
    [
        ("pairs", "streamed", np.inf),
        ("pairs", "dense", 3),
        ("pairs", "torch", 3),
        ("pairs", "optax", 3),
        ("info_nce", "streamed", np.inf),
        ("info_nce", "dense", 5),
        ("info_nce", "torch", 5),
        ("info_nce", "optax", 4),
    ],
)
def test_every_way_has_its_own_bound(force: str, way: str, most: float) -> None:
    settings = dataclasses.replace(scaling.SMOKE, rivals=3, optax_points=4, dense_points=5)
    assert scaling._most(settings, force, way) == most


def test_the_least_time_counts_and_not_that_of_the_first_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Six readings of the clock for three calls, that take 5, 2 and 7 seconds.
    clock = iter([200.0, 205.0, 300.0, 302.0, 400.0, 407.0])
    calls: list[int] = []
    monkeypatch.setattr(_ways, "_pairs", lambda *_: lambda: calls.append(1))
    monkeypatch.setattr(_ways.time, "perf_counter", lambda: next(clock))
    asked = {
        "force": "pairs",
        "way": "streamed",
        "sizes": (4,),
        "dimension": 3,
        "rounds": 3,
        "learning_rate": 0.02,
        "seed": 0,
    }
    (row,) = _ways.main(asked)
    assert (row["n"], row["seconds"], len(calls)) == (4, 2.0, 3)


def test_only_the_streamed_way_goes_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = []

    class Seen:
        def value_and_gradient(self, z_1: Any, z_2: Any, *, temperature: float, block: Any) -> Any:
            blocks.append(block)
            return z_1

    monkeypatch.setattr(normtheory.losses, "LOSSES", {"info_nce": Seen()})
    for way in ("streamed", "dense"):
        _ways._contrast(way, "info_nce", *np.ones((2, 4, 3), np.float32))()
    assert blocks == ["auto", None]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's own count")
def test_memory_that_was_given_back_counts() -> None:
    held = np.ones(2**26, np.uint8)  # 64 MiB
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    then = pages * resource.getpagesize()
    assert held[0] == 1
    del held
    # The kernel counts pages by processor, and may be late by some.
    assert _ways.most_memory() > then - 2**24
