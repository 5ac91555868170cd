"""Losses in blocks of rows: the numbers of the dense ones, in memory of order n · block."""

from __future__ import annotations

import re
import tracemalloc
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normtheory.losses import LOSSES, Loss
from normtheory.losses._door import default_block
from normtheory.losses._jax import JaxNamespace
from normtheory.losses._numpy import NumpyNamespace
from tests.helpers import precision, tolerance
from tests.normtheory.losses import batches
from tests.normtheory.losses.batches import BLOCK, Found, as_dtype, batch, full, part
from tests.normtheory.losses.cases import ALIKE, CASES, Case, error
from tests.normtheory.particles.compiling import counted

N = 7
IN_BLOCKS = [case for case in CASES if case.loss.all_pairs]
in_blocks = {"argvalues": IN_BLOCKS, "ids": [case.label for case in IN_BLOCKS]}
by_jax = {
    "argvalues": [
        pytest.param(case, marks=[pytest.mark.slow] * (case.label in ALIKE)) for case in IN_BLOCKS
    ],
    "ids": in_blocks["ids"],
}
LOSSES_IN_BLOCKS = list({case.name: case.loss for case in IN_BLOCKS}.values())
by_loss = {"argvalues": LOSSES_IN_BLOCKS, "ids": [loss.name for loss in LOSSES_IN_BLOCKS]}


def _all(
    loss: Loss, clouds: Any, options: dict[str, Any], block: Any
) -> tuple[Any, Any, list[Any]]:
    """Value, gradients, derivatives by options."""
    value, gradients = loss.value_and_gradient(*clouds, **options, block=block)
    names = [option.name for option in loss.options if option.trained]
    by_name = [loss.option_gradient(x, *clouds, **options, block=block) for x in names]
    return value, gradients, by_name


def _close(case: Case, clouds: Any, options: Any, found: Any, exact: Any, eps: float) -> None:
    """Equal in units of the natural sizes."""
    n = len(clouds[0])
    value, gradients, by_option = found
    size = max(case.value_size(n), abs(exact[0]))
    assert abs(value - exact[0]) <= eps * size
    sizes = case.sizes(clouds, options)
    for i, g, e, size in zip(case.loss.trained, gradients, exact[1], sizes, strict=True):
        assert (error(g, e, clouds[i]) / size).max() <= eps
    for one, other in zip(by_option, exact[2], strict=True):
        assert abs(one - other) <= eps * max(case.option_size(n), abs(other))


@pytest.mark.parametrize("n", [2, 7, 64])
@pytest.mark.parametrize("case", **in_blocks)
def test_the_block_does_not_matter(case, n):
    clouds, options = batch(0, n, 3)[case.label]
    dense = _all(case.loss, clouds, options, None)
    for block in {1, 2, 5, n - 1, n, n + 1, 1000, np.int64(3), "auto"}:
        found = _all(case.loss, clouds, options, block)
        _close(case, clouds, options, found, dense, tolerance("gradient"))
    for one, other in zip(found[1], dense[1], strict=True):
        assert one.shape == other.shape


# A block of one row, one of two with a row of filling, and one that is larger than the batch: of
# each of the ways to go through pairs. All blocks of all losses are compared with autodiff, too.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["clip", "nt_xent", "siglip"])
def test_the_block_does_not_matter_in_jax(name):
    case = next(case for case in IN_BLOCKS if case.name == name)
    for n, blocks in ((3, (1, 2, 100, "auto")), (2, (1,))):
        clouds, options = batch(0, n, 3)[case.label]
        dense = _all(case.loss, clouds, options, None)
        with precision(np.float64):
            arrays = tuple(jnp.asarray(z) for z in clouds)
            for block in blocks:
                found = jax.jit(partial(_all, case.loss, block=block))(arrays, options)
                found = jax.tree.map(np.asarray, found)
                _close(case, clouds, options, found, dense, tolerance("gradient"))


@cache
def _in_blocks(alike: bool) -> dict[str, Found]:
    return batches.in_blocks(part(batch(0), alike))


@pytest.mark.parametrize("case", **by_jax)
def test_autodiff_in_blocks_takes_the_closed_form(case):
    clouds, options = batch(0)[case.label]
    options = full(case, options)
    jax_says = _in_blocks(case.label in ALIKE)[case.label]
    value, gradients, _ = _all(case.loss, clouds, options, BLOCK)
    closed: Any = [np.zeros_like(z) for z in clouds]  # constants have a zero gradient
    for i, g in zip(case.loss.trained, gradients, strict=True):
        closed[i] = g
    of_options = {
        o.name: case.loss.option_gradient(o.name, *clouds, **options)
        for o in case.loss.options
        if o.trained
    }
    trained = [jax_says.by_grad[i] for i in case.loss.trained]
    exact = value, gradients, list(of_options.values())
    found = jax_says.value, trained, [jax_says.by_option[k] for k in of_options]
    _close(case, clouds, options, found, exact, tolerance("gradient"))
    for i in set(range(len(clouds))) - set(case.loss.trained):
        assert not jax_says.by_grad[i].any()
    expected = sum(np.sum(g * np.roll(z, 1, axis=1)) for g, z in zip(closed, clouds, strict=True))
    expected += sum(0.5 * options[k] * x for k, x in of_options.items())
    most = N * case.option_size(N)  # of what cancels in the sum
    assert abs(jax_says.change - expected) <= most * tolerance("gradient")


KINDS = ["info_nce", "clip", "siglip", "uniformity"]
"""One of each way to go through pairs: by rows, by rows and columns, sums over rows, its own."""


def _second(case: Case, clouds: Any, options: dict[str, Any], block: int | None) -> Any:
    options = {k: x for k, x in options.items() if k != "block"}
    hessian = jax.hessian(lambda z: case.loss(z, *clouds[1:], **options, block=block))(clouds[0])
    both = jax.vmap(lambda z: case.loss(z, *clouds[1:], **options, block=block))
    return hessian, both(jnp.stack([clouds[0], clouds[0][::-1]]))


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_hessian_and_vmap_in_blocks(name):
    case = next(case for case in IN_BLOCKS if case.name == name)
    clouds, options = batch(0, 4, 2)[case.label]
    clouds = tuple(z / np.linalg.norm(z, axis=1, keepdims=True) for z in clouds)
    with precision(np.float64):
        given = jax.tree.map(jnp.asarray, clouds), as_dtype(options, np.float64)
        both = jax.jit(lambda z, o: [_second(case, z, o, block) for block in (None, BLOCK)])
        (exact, values), (found, in_parts) = jax.tree.map(np.asarray, both(*given))
    size = case.sizes(clouds, options)[0] * case.steepness
    np.testing.assert_allclose(found, exact, rtol=0, atol=size * tolerance("hessian"))
    assert np.abs(exact).max() > 1e-3 * size
    np.testing.assert_allclose(in_parts, values, rtol=tolerance("closed_form"))
    reversed_rows = case.loss(clouds[0][::-1], *clouds[1:], **options)
    assert in_parts[1] == pytest.approx(reversed_rows, rel=1e-13)
    assert in_parts[0] == pytest.approx(case.loss(*clouds, **options), rel=1e-13)


# 300 rows, 8 columns, blocks of 15: what is formed of all pairs has 90,000 numbers.
LARGE, D, ROWS = 300, 8, 15


def _shapes(loss: Loss) -> tuple[Any, Any]:
    """Clouds of 300 rows each, prototypes and queues too, and options: only their shapes."""
    clouds, options = loss.example(np.random.default_rng(0), LARGE, D)
    many = dict.fromkeys((cloud.rows for cloud in loss.clouds), LARGE)
    given = {}
    for name, x in options.items():
        option = loss.option(name)
        shape = tuple(many[word] for word in option.shape) if np.ndim(x) else ()
        kind = np.int32 if option.kind == "labels" else np.float32
        given[name] = x if isinstance(x, bool) else jax.ShapeDtypeStruct(shape, kind)
    return tuple(jax.ShapeDtypeStruct((LARGE, D), np.float32) for _ in clouds), given


@cache
def _largest(loss: Loss, block: int | None, way: str) -> int:
    """Numbers in the largest array of the program of JAX."""
    clouds, options = _shapes(loss)
    fixed = {k: x for k, x in options.items() if isinstance(x, bool)}
    moving = {k: x for k, x in options.items() if k not in fixed}

    def f(z: Any, o: Any) -> Any:
        def value(z: Any, o: Any) -> Any:
            return loss(*z, **o, **fixed, block=block)

        if way == "value":
            return value(z, o)
        if way == "gradient":
            return _all(loss, z, {**o, **fixed}, block)
        real = {k: x for k, x in o.items() if jnp.issubdtype(x.dtype, jnp.floating)}
        rest = {k: x for k, x in o.items() if k not in real}
        return jax.grad(lambda z, x: value(z, {**x, **rest}), (0, 1))(z, real)

    text = str(jax.make_jaxpr(f)(clouds, moving))
    shapes = re.findall(r":\w+\[(\d+(?:,\d+)*)\]", text)
    return max(int(np.prod([int(x) for x in shape.split(",")])) for shape in shapes)


@pytest.mark.parametrize("way", ["value", "gradient", "jax.grad"])
@pytest.mark.parametrize("loss", **by_loss)
def test_no_array_of_all_pairs_in_the_program_of_jax(loss, way):
    if any(len(option.shape) == 2 for option in loss.options):
        pytest.skip("its codes are an array of all pairs themselves")
    assert _largest(loss, None, "value") >= LARGE**2  # so that one would be seen
    # Two views of 300 rows make blocks of 15 × 600.
    assert _largest(loss, ROWS, way) <= ROWS * 2 * LARGE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["info_nce", "clip"])
def test_what_jax_allocates_is_of_order_n_times_block(name):
    def scratch(n: int, block: int | None) -> int:
        z = jax.ShapeDtypeStruct((n, D), np.float32)
        gradient = jax.grad(partial(LOSSES[name], block=block), (0, 1))
        memory: Any = jax.jit(gradient).lower(z, z).compile().memory_analysis()
        return memory.temp_size_in_bytes

    n = 2048
    small, large = scratch(n, 64), scratch(2 * n, 64)
    assert large < 12 * 64 * 2 * n * 4  # a few blocks of logits, and of what goes with them
    assert large < 2.2 * small
    assert scratch(n, None) > n * n * 4  # what it avoids


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(loss, marks=[pytest.mark.slow] * (loss.name not in KINDS))
        for loss in LOSSES_IN_BLOCKS
    ],
    ids=by_loss["ids"],
)
def test_what_numpy_allocates_is_of_order_n_times_block(loss):
    n = 1000
    rng = np.random.default_rng(0)
    many = dict.fromkeys((cloud.rows for cloud in loss.clouds), n)
    clouds = tuple(rng.standard_normal((n, 4)) for _ in loss.clouds)
    options = loss.example(rng, n, 4)[1]
    for option in loss.options:
        if option.shape and option.kind == "number":
            options[option.name] = np.full([many[word] for word in option.shape], 1 / n)

    def peak(block: int | None) -> int:
        tracemalloc.start()
        try:
            loss.value_and_gradient(*clouds, **options, block=block)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # what is imported on the way
    # Codes, which are of all pairs themselves, are checked by masks of a byte each.
    assert peak(10) < n * n * 8 / 3
    assert peak(None) > n * n * 8


def test_nothing_is_compiled_anew_for_another_temperature():
    clouds, options = batch(0, dtype=np.float32)["siglip()"]
    z = tuple(jnp.asarray(x) for x in clouds)
    for block in (None, 4):
        LOSSES["siglip"].gradient(*z, **options, block=block)
        with counted() as compiled:
            LOSSES["siglip"].gradient(*z, temperature=0.4, bias=-3.0, block=block)
        assert compiled == [0]


@pytest.mark.parametrize("loss", **by_loss)
def test_a_zero_row_is_named_in_blocks_too(loss):
    clouds, options = loss.example(np.random.default_rng(0), 5, 3)
    clouds[0][4] = 0
    with pytest.raises(ValueError, match=f"{loss.clouds[0].name} row 4 is zero"):
        loss(*clouds, **options, block=2)


@cache
def _spoilt(alike: bool) -> dict[str, Found]:
    given = {}
    for label, (clouds, options) in part(batch(0), alike).items():
        given[label] = (tuple(z.copy() for z in clouds), options)
        given[label][0][0][N - 1] = 0
    return batches.in_blocks(given)


@pytest.mark.parametrize("case", **by_jax)
def test_a_zero_row_makes_nan_where_it_cannot_be_seen(case):
    found = _spoilt(case.label in ALIKE)[case.label]
    assert np.isnan(found.by_grad[0][N - 1]).all()
    assert np.isnan(found.change)
    assert found.options.keys() <= found.by_option.keys()
    assert all(np.isnan(found.by_option[name]) for name in found.options)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
def test_a_bad_block_is_refused(loss):
    clouds, options = loss.example(np.random.default_rng(0), 5, 3)
    if not loss.all_pairs:
        with pytest.raises(TypeError, match=f"{loss.name}: got an unexpected .*'block'"):
            loss(*clouds, **options, block=2)
        return
    for bad, shown in ((0, "0"), (-1, "-1"), (2.0, "2.0"), (True, "True")):
        with pytest.raises(ValueError, match=f"block: expected an integer >= 1, got {shown}"):
            loss(*clouds, **options, block=bad)
    with pytest.raises(ValueError, match=r"block: expected None, 'auto' or .*, got 'large'"):
        loss.gradient(*clouds, **options, block="large")


def test_the_default_block_shrinks_with_the_columns_and_the_size_of_a_number():
    narrow, wide = np.zeros((1, 1), np.float32), np.zeros((1, 1))
    blocks = [default_block(n, narrow) for n in (2, 4096, 131_072, 262_144, 10**7)]
    assert blocks == [256, 256, 256, 128, 64]
    assert default_block(131_072, wide) == 128
    assert default_block(262_144, narrow.astype(np.float16)) == 128  # computed in float32


@pytest.mark.parametrize("namespace", [NumpyNamespace, JaxNamespace])
@pytest.mark.parametrize("block", [1, 3, 4, 10, 11])
def test_every_row_is_met_once_and_filling_is_numbered_beyond_n(namespace, block):
    xp = namespace(block=block)
    met = []

    def step(carried: Any, index: Any, x: Any) -> Any:
        met.append(len(x))
        return carried + xp.sum(xp.where(index < 10, x, 0 * x)), (2 * x, index)

    x = xp.arange(10, dtype=xp.float32)
    total, (rows, index) = xp.over_rows(step, (x,), xp.zeros((), dtype=xp.float32))
    np.testing.assert_array_equal(rows, 2 * x)
    np.testing.assert_array_equal(index, np.arange(10))
    assert total == 45
    assert max(met) <= block
