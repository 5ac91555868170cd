"""JAX differentiates every value: twice, forwards and backwards, under jit and vmap."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from normtheory.losses import nt_xent
from normtheory.verify._plain_losses import PLAIN
from tests.helpers import precision, tolerance
from tests.normtheory.losses import batches, cases
from tests.normtheory.losses.batches import as_dtype, batch
from tests.normtheory.losses.cases import ONE_EACH, draw, error, one_each


def _gentle(case: cases.Case) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
    """Clouds with norms near 1, so that second differences mean something."""
    clouds, options = draw(case, 11, 4, 2)
    clouds = tuple(
        z * (1 + 0.2 * np.arange(len(z))[:, None]) / np.linalg.norm(z, axis=1, keepdims=True)
        for z in clouds
    )
    return clouds, options


def _of_the_trained(
    case: cases.Case, clouds: tuple[Any, ...], options: dict[str, Any], function: Any
) -> tuple[Any, tuple[Any, ...]]:
    """A function of the trained clouds alone; a stop-gradient loss can't be checked in others."""

    def f(*trained: Any) -> Any:
        everything = list(clouds)
        for position, z in zip(case.loss.trained, trained, strict=True):
            everything[position] = z
        return function(*everything, **options)

    return f, tuple(jnp.asarray(clouds[position]) for position in case.loss.trained)


@cache
def _hessians(ours: bool) -> dict[str, Any]:
    """The second derivatives of all losses, compiled together."""

    def hessians(given: Any) -> Any:
        found = {}
        for case in ONE_EACH:
            function = case.loss.value if ours else PLAIN[case.name]
            clouds, options = given[case.name]
            f, arguments = _of_the_trained(case, clouds, options, function)
            found[case.name] = jax.hessian(f, tuple(range(len(arguments))))(*arguments)
        return found

    with precision(np.float64):
        given = {case.name: _gentle(case) for case in ONE_EACH}
        given = {name: (z, as_dtype(options, np.float64)) for name, (z, options) in given.items()}
        return jax.tree.map(np.asarray, jax.jit(hessians)(given))


@pytest.mark.slow
@pytest.mark.parametrize("case", **one_each)
def test_hessian_is_that_of_the_plain_definition(case):
    found, exact = (_hessians(ours)[case.name] for ours in (True, False))
    # A derivative of the gradient magnifies once more. Norms are 1 and more. At n = 4 a triplet or
    # an arc may sit anywhere but on its kink.
    clouds, options = _gentle(case)
    sizes = [np.max(size) * case.steepness for size in case.sizes(clouds, options)]
    for size, found_row, exact_row in zip(sizes, found, exact, strict=True):
        for block, exact_block in zip(found_row, exact_row, strict=True):
            np.testing.assert_allclose(block, exact_block, rtol=0, atol=size * tolerance("hessian"))
    assert max(np.abs(block).max() for row in exact for block in row) > 1e-3 * max(sizes)


# A loss that is trained in all its clouds and one that is not. The derivatives of all others are
# compared with the plain definition, to the same order and sharper.
@pytest.mark.parametrize("name", ["info_nce", "moco"])
@pytest.mark.slow
def test_check_grads_to_second_order_in_both_modes(name):
    case = next(case for case in ONE_EACH if case.name == name)
    clouds, options = _gentle(case)
    with precision(np.float64):
        f, arguments = _of_the_trained(case, clouds, as_dtype(options, np.float64), case.loss.value)
        check_grads(jax.jit(f), arguments, order=2, modes=("fwd", "rev"))


def _of_two(case: cases.Case, clouds: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return jax.vmap(lambda *z: case.loss.gradient(*z, **options))(*clouds)


QUICK = frozenset({"attraction", "uniformity", "nt_xent", "dino"})
"""One loss of each kind."""


@cache
def _under_vmap(names: frozenset[str]) -> dict[str, Any]:
    first, second = batch(0), batch(1)
    stacked = {
        case.label: (
            tuple(map(np.stack, zip(first[case.label][0], second[case.label][0], strict=True))),
            first[case.label][1],
        )
        for case in ONE_EACH
        if case.name in names
    }
    return batches.run(_of_two, stacked)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[pytest.mark.slow] * (case.name not in QUICK), id=case.name)
        for case in ONE_EACH
    ],
)
def test_vmap_gives_the_same(case):
    names = QUICK if case.name in QUICK else frozenset(PLAIN) - QUICK
    (clouds, options), alone = batch(0)[case.label], batches.library_of(0)[case.label].gradients
    sizes = case.sizes(clouds, options)
    for both, g, position, size in zip(
        _under_vmap(names)[case.label], alone, case.loss.trained, sizes, strict=True
    ):
        assert (error(both[0], g, clouds[position]) / size).max() <= tolerance("similarity")
        assert np.abs(both[0] - both[1]).max() > 0


# Compiled one operation at a time, which costs most.
@pytest.mark.parametrize("name", sorted(QUICK))
@pytest.mark.slow
def test_without_jit_it_is_the_same(name):
    case = next(case for case in ONE_EACH if case.name == name)
    clouds, options = batch(0)[case.label]
    with precision(np.float64):
        eager = case.loss.value(*clouds, **as_dtype(options, np.float64))
    compiled = batches.library_of(0)[case.label].value
    np.testing.assert_allclose(np.asarray(eager), compiled, rtol=1e-14, atol=tolerance("law"))


def test_the_temperature_may_be_traced():
    clouds = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    temperatures = jnp.array([0.1, 0.5], jnp.float32)
    batch = jax.jit(jax.vmap(lambda t: nt_xent(clouds[0], clouds[1], temperature=t)))(temperatures)
    for found, temperature in zip(batch, (0.1, 0.5), strict=True):
        single = nt_xent(clouds[0], clouds[1], temperature=temperature)
        assert float(found) == pytest.approx(float(single), rel=1e-5)
