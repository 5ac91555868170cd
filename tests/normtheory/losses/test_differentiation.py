"""JAX differentiates every value: twice, forwards and backwards, under jit and vmap."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from tests.helpers import precision, tolerance
from tests.normtheory.losses.cases import (
    as_dtype,
    closed_form,
    draw,
    one_each,
    split,
    value_and_gradient,
)
from tests.normtheory.losses.plain import PLAIN

SHAPE = (4, 2)


def _gentle(case, shape=SHAPE):
    """Clouds with norms near 1, so that second differences mean something."""
    clouds, options = draw(case, np.random.default_rng(11), *shape)
    clouds = tuple(
        z * (1 + 0.2 * np.arange(len(z))[:, None]) / np.linalg.norm(z, axis=1, keepdims=True)
        for z in clouds
    )
    return clouds, split(options)[0]


def _of_the_trained(case, clouds, options, function):
    """A function of the trained clouds alone; a stop-gradient loss can't be checked in others."""

    def f(*trained):
        everything = list(clouds)
        for position, z in zip(case.loss.trained, trained, strict=True):
            everything[position] = z
        return function(*everything, **options)

    return f, tuple(jnp.asarray(clouds[position]) for position in case.loss.trained)


@pytest.mark.parametrize("case", **one_each)
def test_hessian_is_that_of_the_plain_definition(case):
    clouds, options = _gentle(case)
    with precision(np.float64):
        options = as_dtype(options, np.float64)
        found, exact = (
            jax.jit(jax.hessian(f))(*arguments)
            for f, arguments in (
                _of_the_trained(case, clouds, options, function)
                for function in (case.loss.value, PLAIN[case.name])
            )
        )
    # The second derivative is of the size 1/τ², and a rounding of a cosine counts 1/τ more. At n =
    # 4 a triplet or an arc may sit anywhere but on its kink.
    bound = case.inverse_temperature**3 * tolerance("hessian")
    np.testing.assert_allclose(found, exact, rtol=0, atol=bound)


@pytest.mark.slow
@pytest.mark.parametrize("case", **one_each)
def test_check_grads_to_second_order_in_both_modes(case):
    clouds, options = _gentle(case)
    with precision(np.float64):
        f, arguments = _of_the_trained(case, clouds, as_dtype(options, np.float64), case.loss.value)
        check_grads(jax.jit(f), arguments, order=2, modes=("fwd", "rev"))


@pytest.mark.parametrize("case", **one_each)
def test_forward_mode_is_the_closed_form(case):
    clouds, options = draw(case, np.random.default_rng(2), 7, 3)
    rng = np.random.default_rng(3)
    tangents = tuple(z * rng.standard_normal(z.shape) for z in clouds)
    found = closed_form(case)(clouds, options)
    exact = sum(
        float(np.sum(g * tangents[i])) for i, g in zip(case.loss.trained, found, strict=True)
    )
    with precision(np.float64):
        function = functools.partial(case.loss.value, **as_dtype(options, np.float64))
        value, change = jax.jit(lambda z, t: jax.jvp(function, z, t))(clouds, tangents)
        value, change = float(value), float(change)
    assert value == pytest.approx(float(value_and_gradient(case)(clouds, options)[0]), rel=1e-13)
    assert abs(change - exact) <= case.inverse_temperature * 10 * tolerance("law")


@pytest.mark.parametrize("case", **one_each)
def test_vmap_and_no_jit_give_the_same(case):
    drawn = [draw(case, np.random.default_rng(seed), 7, 3) for seed in (0, 1)]
    options = drawn[0][1]
    singles = [closed_form(case)(clouds, options) for clouds, _ in drawn]
    with precision(np.float64):
        stacked = tuple(
            jnp.asarray(np.stack(z)) for z in zip(*(clouds for clouds, _ in drawn), strict=True)
        )
        moving = as_dtype(options, np.float64)
        batch = jax.jit(jax.vmap(lambda z: case.loss.gradient(*z, **moving)))(stacked)
        eager = case.loss.value(*drawn[0][0], **options)
    compiled, _ = value_and_gradient(case)(drawn[0][0], options)
    np.testing.assert_allclose(np.asarray(eager), compiled, rtol=1e-14, atol=tolerance("law"))
    for index, single in enumerate(singles):
        for together, alone, position in zip(batch, single, case.loss.trained, strict=True):
            norms = np.linalg.norm(drawn[index][0][position], axis=-1, keepdims=True)
            np.testing.assert_allclose(
                np.asarray(together)[index] * norms,
                alone * norms,
                rtol=0,
                atol=case.inverse_temperature * tolerance("law"),
            )


def test_the_temperature_may_be_traced():
    from normtheory.losses import nt_xent

    clouds = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    temperatures = jnp.array([0.1, 0.5], jnp.float32)
    batch = jax.jit(jax.vmap(lambda t: nt_xent(clouds[0], clouds[1], temperature=t)))(temperatures)
    for found, temperature in zip(batch, (0.1, 0.5), strict=True):
        single = nt_xent(clouds[0], clouds[1], temperature=temperature)
        assert float(found) == pytest.approx(float(single), rel=1e-5)
