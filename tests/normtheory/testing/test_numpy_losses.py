"""Losses written in numpy, differentiated by finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory.testing._evaluate import NumpyEvaluator
from normtheory.testing._run import assert_laws

from . import plain

ASSERTIONS = (
    nt.testing.assert_inverse_norm_gradient,
    nt.testing.assert_orthogonal_gradient,
    nt.testing.assert_scale_invariant,
    nt.testing.assert_norm_never_shrinks,
)
ANY = pytest.mark.parametrize("check", ASSERTIONS, ids=lambda check: check.__name__)


@pytest.mark.parametrize("name", plain.TRUE)
def test_true_losses_pass(name: str) -> None:
    nt.testing.assert_loss_of_directions(plain.TRUE[name], max_examples=12)


@pytest.mark.parametrize("name", ["attraction", "info_nce"])
def test_true_losses_pass_at_extreme_norms(name: str) -> None:
    nt.testing.assert_loss_of_directions(plain.TRUE[name], norms=(1e-100, 1e100), max_examples=12)


@pytest.mark.parametrize("temperature", [0.05, 1.0, 100.0])
def test_true_losses_pass_at_any_temperature(temperature: float) -> None:
    def loss(z: np.ndarray) -> float:
        return plain.cross_entropy(plain.unit(z) @ plain.unit(plain.KEYS).T, temperature)

    nt.testing.assert_loss_of_directions(loss, max_examples=12)


@pytest.mark.parametrize("name", plain.FALSE)
def test_false_losses_are_rejected_with_their_cause(name: str) -> None:
    loss, cause = plain.FALSE[name]
    if name == "logarithm":  # its gradient is ∝ 1/norm: it fails by being radial
        nt.testing.assert_inverse_norm_gradient(loss, max_examples=12)
        check = nt.testing.assert_orthogonal_gradient
    else:
        check = nt.testing.assert_inverse_norm_gradient
    with pytest.raises(AssertionError, match=f"likely cause: .*{cause}"):
        check(loss)


@ANY
@pytest.mark.parametrize("name", ["offset", "centred", "epsilon_on_norm"])
def test_every_assertion_rejects(check: Callable[..., None], name: str) -> None:
    loss, cause = plain.FALSE[name]
    with pytest.raises(AssertionError, match=cause):
        check(loss)


def _undefined_above_30(bad: float) -> Callable[[np.ndarray], float]:
    return lambda z: plain.info_nce(z) if plain.norms(z).max() < 30 else bad


@ANY
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("norms", [(1e-3, 1e3), (1, 1e2)])
def test_a_loss_that_is_not_finite_at_some_norms_obeys_no_law(
    check: Callable[..., None], bad: float, norms: tuple[float, float]
) -> None:
    with pytest.raises(AssertionError, match=rf"inf \(tolerance(.|\n)*the loss is {bad} at norm 1"):
        check(_undefined_above_30(bad), norms=norms)


@ANY
@pytest.mark.parametrize("norms", [(1e-3, 25.0), (1, 25.0)])
def test_a_loss_is_not_asked_for_other_norms(
    check: Callable[..., None], norms: tuple[float, float]
) -> None:
    check(_undefined_above_30(np.nan), norms=norms, max_examples=12)


def _value_alone(z: Any) -> Any:
    """A loss whose gradient is that of a loss of directions, its value not."""
    if z.shape != (6, 4):  # nothing simpler is compiled
        raise ValueError("six rows, please")
    norms = jnp.linalg.norm(z, axis=1)
    return jnp.sum(z[:, 0] / norms) + jax.lax.stop_gradient(jnp.sum(norms))


@pytest.mark.parametrize(
    ("loss", "broken", "kept"),
    [
        (plain.logarithm, "gradient is not orthogonal", ("inverse_norm",)),
        (_value_alone, "loss is not scale-invariant", ("inverse_norm", "orthogonal", "shrinks")),
        (plain.dot_product, "gradient is not inversely proportional", ()),
    ],
)
def test_every_law_counts_of_several(loss: Any, broken: str, kept: tuple[str, ...]) -> None:
    """The first law that is broken is the one that is named, though those before it hold."""
    if kept:
        assert_laws(kept, loss, 6, 4, (1e-3, 1e3), None, "float64", None, 12, 0)
    with pytest.raises(AssertionError, match=f"^the {broken}"):
        nt.testing.assert_loss_of_directions(loss)


@pytest.mark.parametrize("name", ["logarithm", "dot_product", "euclidean_triplet", "barlow_twins"])
def test_values_of_false_losses_change_with_the_norm(name: str) -> None:
    with pytest.raises(AssertionError, match="not scale-invariant"):
        nt.testing.assert_scale_invariant(plain.FALSE[name][0])


def test_a_reward_for_norm_never_shrinks_it_and_is_no_loss_of_directions() -> None:
    def loss(z: np.ndarray) -> float:
        return plain.info_nce(z) - 1e-3 * float(plain.norms(z).sum())

    nt.testing.assert_norm_never_shrinks(loss, max_examples=12)
    with pytest.raises(AssertionError, match="not orthogonal"):
        nt.testing.assert_orthogonal_gradient(loss)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3, 1e9])
def test_a_pull_inwards_shrinks_norms_however_strong_it_is(size: float) -> None:
    """Though a step of a fixed rate would leap over the origin, and land further off."""

    def loss(z: np.ndarray) -> float:
        return plain.attraction(z) + size * float(np.maximum(plain.norms(z) - 10, 0.0).sum())

    with pytest.raises(AssertionError, match="a step of SGD shrinks a norm"):
        nt.testing.assert_norm_never_shrinks(loss)
    nt.testing.assert_norm_never_shrinks(loss, norms=(1e-1, 9.0), max_examples=12)


def test_an_epsilon_outside_of_the_norms_tried_does_no_harm() -> None:
    nt.testing.assert_inverse_norm_gradient(plain.clamped_norm, norms=(0.02, 1e3), max_examples=12)
    with pytest.raises(AssertionError, match="epsilon of about 1e-2"):
        nt.testing.assert_inverse_norm_gradient(plain.clamped_norm, norms=(0.001, 0.5))


def _offset_by(size: float) -> Callable[[np.ndarray], float]:
    return lambda z: plain.info_nce(z) + size * float(plain.norms(z).sum())


def test_the_tolerance_is_what_decides() -> None:
    nt.testing.assert_orthogonal_gradient(_offset_by(1e-6), norms=(0.5, 2.0), tolerance=1e-4)
    with pytest.raises(AssertionError, match="tolerance 1e-07"):
        nt.testing.assert_orthogonal_gradient(_offset_by(1e-6), norms=(0.5, 2.0), tolerance=1e-7)


def _exact_gradient(z: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(z, axis=1, keepdims=True)
    u, y = z / norm, plain.unit(plain.KEYS)
    along = np.sum(u * y, axis=1, keepdims=True)
    return -(y - along * u) / norm / len(z)


@pytest.mark.parametrize("norm", [1e-100, 1e-9, 1.0, 1e9, 1e100])
def test_finite_differences_know_their_error(norm: float) -> None:
    z = norm * np.random.default_rng(1).standard_normal((6, 4))
    slope = NumpyEvaluator(plain.attraction).slope(z)
    off = np.abs(slope.gradient - _exact_gradient(z))
    assert (off <= slope.error).all()
    assert (norm * slope.error).max() < 1e-7


def test_finite_differences_admit_a_kink() -> None:
    for distance in np.linspace(-3, 3, 61) * 2.0**-14:

        def kink(z: np.ndarray, distance: float = distance) -> float:
            return float(np.abs(z[0, 0] - 1.0 - distance))

        slope = NumpyEvaluator(kink).slope(np.array([[1.0, 0.0]]))
        exact = np.array([[-np.sign(distance), 0.0]])
        assert (np.abs(slope.gradient - exact) <= slope.error).all()
        assert slope.error[0, 1] < 1e-9


@pytest.mark.parametrize("step", [0.5, 1.0, 4.0])
def test_each_of_the_three_parts_of_the_error_counts(step: float) -> None:
    """Powers of one component: a cube upsets the first differences, a fourth power the second."""

    def error(loss: Callable[[float], float]) -> float:
        slope = NumpyEvaluator(lambda z: loss(z[0, 1])).slope(np.array([[step * 2.0**14, 0.0]]))
        return float(slope.error[0, 1])

    # f'(0) is h² and (2h)² off; the second differences over h are 2h³ and 16h³.
    assert error(lambda x: x**3) == pytest.approx(4 * 3 * step**2, rel=1e-9)
    assert error(lambda x: x**4) == pytest.approx(4 * (16 - 2 * 2) * step**3, rel=1e-9)
    assert error(lambda x: 7.0) == 16 * np.finfo(float).eps * 7 / step


def test_no_call_changes_the_loss_or_sees_another_loss_changed() -> None:
    def greedy(z: np.ndarray) -> Any:
        value = plain.info_nce(z)
        z[:] = 0.0  # a rude loss, which works on its argument
        return value

    nt.testing.assert_inverse_norm_gradient(greedy, max_examples=5)
