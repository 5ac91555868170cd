"""Streamed losses: the numbers of the dense ones, in memory of order n · block."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from normtheory.particles._stream import STREAMED, streamed
from normtheory.particles._stream_blocks import default_block, over_rows

from normtheory.losses import LOSSES
from tests.helpers import precision, tolerance
from tests.normtheory.particles.compiling import counted

CASES = [(name, {}) for name in STREAMED] + [
    (name, {"symmetric": True}) for name in ("info_nce", "decoupled")
]
IDS = [name + ("-symmetric" if options else "") for name, options in CASES]
N, D, BLOCK = 37, 16, 16  # three blocks of 13, the last two rows of which are filling
TEMPERATURES = (0.2, 1e-3)


def draw(name: str, n: int, d: int, dtype: Any, **options: Any) -> tuple[list[Any], dict[str, Any]]:
    """The example of a loss, in a dtype, and its options."""
    clouds, found = LOSSES[name].example(np.random.default_rng(n), n, d)
    return [jnp.asarray(z, dtype) for z in clouds], {**found, **options}


def condition(options: dict[str, Any]) -> float:
    """Size of a gradient: 1/τ, and for uniformity 2t."""
    return 1 / options["temperature"] if "temperature" in options else 4.0


def dense(name: str, clouds: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    """Value and gradient of the loss itself, compiled: operation by operation it takes seconds."""
    loss = LOSSES[name]
    both = jax.jit(lambda *z, **o: (loss.value(*z, **o), loss.gradient(*z, **o)))
    return both(*clouds, **options)


def gradient_error(clouds: list[Any], found: Any, expected: Any) -> float:
    """Largest scale-free difference ρ‖g - g'‖."""
    worst = 0.0
    for z, a, b in zip(clouds, found, expected, strict=False):
        off = np.asarray(a, np.float64) - np.asarray(b, np.float64)
        by_row = np.linalg.norm(z, axis=-1) * np.linalg.norm(off, axis=-1)
        worst = max(worst, float(by_row.max()))
    return worst


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "extra"), CASES, ids=IDS)
def test_value_and_gradient_are_those_of_the_loss(name, extra, dtype):
    if dtype == np.float32 and name not in ("info_nce", "supcon"):
        pytest.skip("the others share their code; compiling takes the time")
    loss = LOSSES[name]
    with precision(dtype):
        clouds, options = draw(name, N, D, dtype, **extra)
        both = jax.jit(
            lambda *z, **o: (loss.value(*z, **extra, **o), loss.gradient(*z, **extra, **o))
        )
        for temperature in TEMPERATURES if "temperature" in options else (None,):
            if temperature is not None:
                options["temperature"] = temperature
            traced = {k: v for k, v in options.items() if k not in extra}
            found, slopes = streamed(name, clouds, block=BLOCK, **options)
            value, expected = both(*clouds, **traced)
            assert len(slopes) == len(expected) == len(loss.trained)
            assert {x.dtype for x in (found, *slopes)} == {np.dtype(dtype)}
            # A rounding of a cosine moves the loss by 1/τ and the gradient, of size 1/τ, by 1/τ².
            scale = condition(options)
            allowed = tolerance("gradient", dtype) * scale
            assert abs(found - value) <= allowed
            assert gradient_error(clouds, slopes, expected) <= allowed


def test_float32_is_right_where_the_gradient_is_large():
    # The same numbers in float64 judge; the loss is far from solved at this temperature.
    clouds, options = draw("info_nce", N, D, np.float32, temperature=1e-3)
    value, slopes = streamed("info_nce", clouds, block=BLOCK, **options)
    with jax.enable_x64(True):
        wide = [jnp.asarray(np.asarray(z, np.float64)) for z in clouds]
        exact, expected = dense("info_nce", wide, options)
        assert gradient_error(wide, slopes, expected) <= 1e3**2 * tolerance("similarity", "float32")
        assert abs(float(value) - float(exact)) <= 1e3 * tolerance("similarity", "float32")


@pytest.mark.parametrize("name", ["info_nce", "clip"])
def test_a_solved_batch_keeps_the_digits_of_its_tiny_loss(name):
    with jax.enable_x64(True):
        z = jnp.eye(5) * jnp.arange(1.0, 6.0)[:, None]
        options = {"temperature": 1 / 40}
        value, slopes = streamed(name, (z, z), block=2, **options)
        expected, exact_slopes = dense(name, (z, z), options)
        assert 0 < expected < 1e-15  # log(1 + 4 exp(-40)), or twice as many negatives
        np.testing.assert_allclose(value, expected, rtol=40 * tolerance("closed_form"))
        for found, exact in zip(slopes, exact_slopes, strict=True):
            assert jnp.abs(exact).max() < 1e-14
            np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-30)


@pytest.mark.parametrize("block", [1, 5, 100])
def test_the_block_does_not_matter(block):
    clouds, options = draw("decoupled", 12, 3, np.float32)
    expected, slopes = streamed("decoupled", clouds, block=12, **options)
    value, found = streamed("decoupled", clouds, block=block, **options)
    np.testing.assert_allclose(value, expected, rtol=tolerance("closed_form", np.float32))
    assert gradient_error(clouds, found, slopes) <= 5 * tolerance("gradient", np.float32)


def test_two_points_one_a_block():
    # Every column is its diagonal alone in its first or last block.
    clouds, options = draw("clip", 2, 3, np.float32)
    value, slopes = streamed("clip", clouds, block=1, **options)
    exact, expected = dense("clip", clouds, options)
    np.testing.assert_allclose(value, exact, rtol=1e-5)
    assert gradient_error(clouds, slopes, expected) <= 5 * tolerance("gradient", np.float32)


@pytest.mark.parametrize("name", ["info_nce", "clip"])
def test_memory_is_of_order_n_times_block(name):
    def scratch(function: Any, n: int) -> int:
        z = jax.ShapeDtypeStruct((n, 8), np.float32)
        memory: Any = jax.jit(function).lower(z, z).compile().memory_analysis()
        return memory.temp_size_in_bytes

    def ours(*clouds: Any) -> Any:
        return streamed(name, clouds, block=64)

    n = 4096
    small, large = scratch(ours, n), scratch(ours, 2 * n)
    # A few blocks of logits, and of what goes with them.
    assert large < 12 * 64 * 2 * n * 4
    assert large < 2.2 * small
    assert scratch(LOSSES[name].gradient, n) > n * n * 4  # what it avoids


def test_nothing_is_compiled_anew_for_another_temperature():
    clouds, _ = draw("siglip", 6, 3, np.float32)
    streamed("siglip", clouds, temperature=0.3)
    with counted() as compiled:
        streamed("siglip", clouds, temperature=0.4, bias=-3.0)
    assert compiled == [0]


def test_a_row_without_direction_is_named_or_nan():
    clouds, options = draw("info_nce", 5, 3, np.float32)
    clouds[1] = clouds[1].at[3].set(0)
    with pytest.raises(ValueError, match="z_2 row 3 is zero"):
        streamed("info_nce", clouds, **options)
    value, _ = jax.jit(lambda a, b: streamed("info_nce", (a, b), **options))(*clouds)
    assert jnp.isnan(value)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("attraction", {}, ValueError, "name: expected one of info_nce, clip, .* got 'attraction'"),
        ("info_nce", {"block": 0}, ValueError, "block: expected an integer >= 1, got 0"),
        ("info_nce", {"sharpness": 1.0}, TypeError, "info_nce: .*'sharpness'"),
        ("info_nce", {"temperature": 0.0}, ValueError, "temperature: expected .* > 0, got 0.0"),
    ],
)
def test_bad_arguments_are_refused(name, options, error, message):
    clouds, _ = draw("info_nce", 4, 3, np.float32)
    with pytest.raises(error, match=message):
        streamed(name, clouds, **options)


def test_the_default_block_shrinks_with_n_and_the_size_of_a_number():
    blocks = [default_block(n, np.float32) for n in (2, 4096, 131_072, 262_144, 10**7)]
    assert blocks == [256, 256, 256, 128, 64]
    assert default_block(131_072, np.float64) == 128


def test_every_row_is_met_once_and_filling_is_numbered_beyond_n():
    def step(carried: Any, index: Any, x: Any) -> Any:
        return carried + jnp.sum(jnp.where(index < 10, x, jnp.float32(-1))), (2 * x, index)

    x = jnp.arange(10, dtype=jnp.float32)
    total, (rows, index) = over_rows(step, (x,), jnp.float32(0), 4)
    np.testing.assert_array_equal(rows, 2 * x)
    np.testing.assert_array_equal(index, np.arange(10))
    assert total == 45 - 2  # three blocks of four: two rows of filling
