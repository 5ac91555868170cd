"""JAX and PyTorch losses: inference of the backend, precision, gradients of something else."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory.testing._infer import evaluator_of

from . import plain

CLOUD = np.random.default_rng(3).standard_normal((6, 4))


def _jax_unit(z: jax.Array) -> jax.Array:
    return z / jnp.linalg.norm(z, axis=1, keepdims=True)


def _jax_info_nce(z: jax.Array) -> jax.Array:
    u = _jax_unit(z)
    logits = u @ _jax_unit(jnp.asarray(plain.KEYS, z.dtype)).T / 0.2
    return -jnp.mean(jnp.diag(jax.nn.log_softmax(logits, axis=1)))


def _first_component(z: jax.Array) -> jax.Array:
    """A loss of directions with little to compile, and nothing of simpler clouds."""
    if z.shape != CLOUD.shape:
        raise ValueError("six rows, please")
    return jnp.mean(_jax_unit(z)[:, 0] ** 3)


def _method_only(z: Any) -> Any:
    """Works on a tensor, without the name torch in sight."""
    return (z / z.norm(dim=1, keepdim=True))[:, 0].mean()


@pytest.mark.parametrize(
    ("loss", "backend"),
    [
        (plain.info_nce, "numpy"),
        (_jax_info_nce, "jax"),
        (lambda z: (z / z.sum())[0, 0], "numpy"),
        (lambda z: jnp.sum(jnp.asarray(z)[:, 0]), "jax"),
        pytest.param(_method_only, "torch", marks=pytest.mark.torch),
    ],
)
def test_the_backend_is_inferred(loss: Any, backend: str) -> None:
    assert evaluator_of(loss, CLOUD, None, "float64").backend == backend


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_plain_jax_loss_passes(dtype: str) -> None:
    nt.testing.assert_loss_of_directions(_jax_info_nce, dtype=dtype)


def test_a_loss_that_looks_at_values_runs_without_compilation() -> None:
    def loss(z: jax.Array) -> jax.Array:
        if float(jax.lax.stop_gradient(z)[0, 0]) > 1e9:
            raise ValueError("too large")
        return jnp.sum(_jax_unit(z)[:, 0])

    nt.testing.assert_inverse_norm_gradient(loss, max_examples=6)


def test_a_shape_that_a_loss_refuses_is_traced_once() -> None:
    traced = []

    def loss(z: jax.Array) -> jax.Array:
        traced.append(z.shape)
        return _first_component(z)

    evaluator = evaluator_of(loss, CLOUD, "jax", "float64")
    traced.clear()
    for cloud in (CLOUD[:3], 2 * CLOUD[:3], CLOUD[:5]):
        with pytest.raises(ValueError, match="six rows, please"):
            evaluator.slope(cloud)
    assert traced == [(3, 4), (5, 4)]
    assert np.isfinite(evaluator.slope(2 * CLOUD).value)


def test_a_loss_that_refuses_values_is_asked_for_others() -> None:
    def loss(z: jax.Array) -> jax.Array:
        if float(jax.lax.stop_gradient(z)[0, 0]) > 100:
            raise ValueError("too large")
        return z[0, 0] ** 2

    evaluator = evaluator_of(loss, CLOUD, "jax", "float64")
    with pytest.raises(ValueError, match="too large"):
        evaluator.slope(abs(1e9 * CLOUD))
    assert evaluator.slope(CLOUD).value == pytest.approx(CLOUD[0, 0] ** 2)


def test_automatic_and_numeric_gradients_agree() -> None:
    automatic = evaluator_of(_jax_info_nce, CLOUD, "jax", "float64").slope(CLOUD)
    numeric = evaluator_of(plain.info_nce, CLOUD, "numpy", "float64").slope(CLOUD)
    assert automatic.value == pytest.approx(numeric.value, rel=1e-13)
    assert (np.abs(automatic.gradient - numeric.gradient) <= numeric.error).all()
    assert not automatic.error.any()


@pytest.mark.parametrize(
    ("plant", "cause"),
    [
        (
            lambda z: _jax_info_nce(z) + 1e-3 * jnp.sum(jnp.linalg.norm(z, axis=1)),
            r"goes like norm\^1\.00",
        ),
        (
            lambda z: _jax_info_nce(z - jnp.mean(z, axis=0, keepdims=True)),
            "centring before normalisation",
        ),
        (
            lambda z: (
                -jnp.mean(jnp.sum(z * plain.KEYS, axis=1) / (jnp.linalg.norm(z, axis=1) + 1e-2))
            ),
            "epsilon of about 1e-2 dominates",
        ),
    ],
    ids=["offset", "centred", "epsilon"],
)
def test_planted_faults_in_jax_are_rejected(plant: Any, cause: str) -> None:
    with pytest.raises(AssertionError, match=cause) as caught:
        nt.testing.assert_inverse_norm_gradient(plant)
    assert "(jax, float64, seed 0)" in str(caught.value)


def test_gradscale_is_orthogonal_but_not_inverse() -> None:
    def loss(z: jax.Array) -> jax.Array:
        return _first_component(nt.grad_scale(z, 1.0))

    nt.testing.assert_orthogonal_gradient(loss)
    with pytest.raises(AssertionError, match=r"backward pass multiplies it by norm\^1\.00"):
        nt.testing.assert_inverse_norm_gradient(loss)


def test_a_stopped_norm_is_inverse_but_not_orthogonal() -> None:
    def loss(z: jax.Array) -> jax.Array:
        if z.shape != CLOUD.shape:
            raise ValueError("six rows, please")
        norm = jax.lax.stop_gradient(jnp.linalg.norm(z, axis=1, keepdims=True))
        return jnp.mean((z / norm)[:, 0] ** 3)

    nt.testing.assert_inverse_norm_gradient(loss)
    with pytest.raises(AssertionError, match="the gradient is stopped through the norm"):
        nt.testing.assert_orthogonal_gradient(loss)
    with pytest.raises(AssertionError, match="a step of SGD shrinks a norm"):
        nt.testing.assert_norm_never_shrinks(loss)


def _undefined_above(norm: float, row: int) -> Any:
    """A loss of directions whose gradient is NaN where one row is above a norm: ∞ times 0."""

    def loss(z: jax.Array) -> jax.Array:
        below = jnp.maximum(norm - jnp.linalg.norm(z[row]), 0.0)
        return _first_component(z) + 0.0 * jnp.sqrt(below)

    return loss


def test_a_gradient_that_is_nan_at_some_norms_obeys_no_law() -> None:
    loss = _undefined_above(30.0, 4)
    with jax.enable_x64(True):  # that is what it does: a fine value, and no gradient
        value, gradient = jax.jit(jax.value_and_grad(loss))(jnp.asarray(1e2 * CLOUD))
    assert np.isfinite(value)
    assert np.isnan(np.asarray(gradient)).any(axis=1).tolist() == [row == 4 for row in range(6)]
    for check, told in (
        (nt.testing.assert_inverse_norm_gradient, "norm times gradient changes by"),
        (nt.testing.assert_orthogonal_gradient, "its radial part is"),
        (nt.testing.assert_norm_never_shrinks, "in units of the gradient, is"),
        (nt.testing.assert_loss_of_directions, "norm times gradient changes by"),
    ):
        with pytest.raises(AssertionError, match=rf"{told} inf \(tolerance 1e-06\)"):
            check(loss)
    nt.testing.assert_loss_of_directions(loss, norms=(1e-3, 25.0))
    nt.testing.assert_scale_invariant(loss)  # the value is all right


def test_an_infinite_gradient_is_a_finding_and_no_warning() -> None:
    """Above norm 709 exp overflows: an infinite value, of infinite slope along a row."""

    def loss(z: jax.Array) -> jax.Array:
        if z.shape != CLOUD.shape:
            raise ValueError("six rows, please")
        norms = jnp.linalg.norm(z, axis=1)
        return jnp.mean(z[:, 0] / norms) + 1e-300 * jnp.sum(jnp.exp(norms))

    for check in (
        nt.testing.assert_inverse_norm_gradient,
        nt.testing.assert_orthogonal_gradient,
        nt.testing.assert_scale_invariant,
        nt.testing.assert_norm_never_shrinks,
    ):
        with pytest.raises(AssertionError, match="likely cause: the loss is inf at norm 1000"):
            check(loss)
    # ρ·1e-300·exp ρ is 1 % of the slope of the mean, at most 1/6, below norm 690, but no less than
    # 1e-4 of it above 670.
    low, high = nt.testing.valid_norm_range(loss)
    assert low == 0
    assert 670 < high < 690


@pytest.mark.parametrize("name", ["jax", pytest.param("torch", marks=pytest.mark.torch)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("named", [False, True])
def test_a_loss_is_given_the_dtype_that_was_asked_for(name: str, dtype: str, named: bool) -> None:
    if name == "torch":
        pytest.importorskip("torch")
    seen = set()

    def loss(z: Any) -> Any:
        if name == "torch":
            out = (z / z.norm(dim=1, keepdim=True))[:, 0].mean()  # no array of numpy can do that
        else:
            out = jnp.mean(_jax_unit(z)[:, 0])
        seen.add(str(z.dtype).removeprefix("torch."))
        return out

    evaluator = evaluator_of(loss, CLOUD, name if named else None, dtype)
    assert (evaluator.backend, evaluator.dtype) == (name, dtype)
    seen.clear()  # of what was tried to find the backend
    cloud = CLOUD[:5]  # of another shape, so that it is compiled for this
    value, gradient, _ = evaluator.slope(cloud)
    assert evaluator.value(cloud) == value
    assert seen == {dtype}
    kind = np.dtype(dtype).type
    # What comes back are numbers that the dtype holds, those of the loss to a few of its eps.
    assert value == float(kind(value))
    assert (gradient == gradient.astype(kind)).all()
    exact = float(np.mean(plain.unit(cloud)[:, 0]))
    assert value == pytest.approx(exact, rel=8 * float(np.finfo(kind).eps))


@pytest.mark.parametrize("name", ["jax", pytest.param("torch", marks=pytest.mark.torch)])
@pytest.mark.parametrize(("dtype", "limit"), [("float32", "1e-03"), ("float64", "1e-06")])
def test_a_report_says_what_was_computed_in_and_allowed(name: str, dtype: str, limit: str) -> None:
    if name == "torch":
        pytest.importorskip("torch")
    with pytest.raises(AssertionError) as caught:
        nt.testing.assert_orthogonal_gradient(lambda z: (z * z).sum(), backend=name, dtype=dtype)
    assert f"({name}, {dtype}, seed 0)" in str(caught.value)
    assert f"(tolerance {limit})" in str(caught.value)


@pytest.mark.torch
def test_torch_losses() -> None:
    torch = pytest.importorskip("torch")
    keys = torch.tensor(plain.KEYS)

    def cosine(z: Any) -> Any:
        return -torch.nn.functional.cosine_similarity(z, keys.to(z.dtype)).mean()

    nt.testing.assert_loss_of_directions(cosine)
    nt.testing.assert_loss_of_directions(cosine, dtype="float32")
    with torch.no_grad():  # the kit turns gradients on for itself
        nt.testing.assert_inverse_norm_gradient(cosine)
    with pytest.raises(AssertionError, match="epsilon of about 1e-8 dominates below norm 1e-08"):
        nt.testing.assert_inverse_norm_gradient(cosine, norms=(1e-10, 1.0))


@pytest.mark.torch
@pytest.mark.parametrize(
    ("guard", "told"),
    [
        (lambda product: product.clamp(min=1e-8), r"below norm 0\.0001 \(the least value of a"),
        (lambda product: product + 1e-8, "added to a squared norm or to a product"),
    ],
    ids=["clamp", "add"],
)
def test_a_guarded_cosine_is_rejected_where_the_guard_matters(guard: Any, told: str) -> None:
    torch = pytest.importorskip("torch")

    def loss(z: Any) -> Any:
        norm = z.norm(dim=1)
        cosines = z @ z.T / guard(norm[:, None] * norm[None, :])
        return torch.triu(cosines.pow(2), diagonal=1).mean()

    nt.testing.assert_inverse_norm_gradient(loss, norms=(1.0, 1e3))
    with pytest.raises(AssertionError, match=f"epsilon of about 1e-8 dominates.*{told}"):
        nt.testing.assert_inverse_norm_gradient(loss, norms=(1e-6, 1.0))


@pytest.mark.torch
def test_torch_runs_on_one_thread_here_and_on_its_own_number_after() -> None:
    torch = pytest.importorskip("torch")
    before, seen = torch.get_num_threads(), set()

    def loss(z: Any) -> Any:
        seen.add(torch.get_num_threads())
        if len(z) < 6:
            raise ValueError("six")
        return _method_only(z)

    torch.set_num_threads(3)
    try:
        nt.testing.assert_inverse_norm_gradient(loss, backend="torch", max_examples=1)
        with pytest.raises(ValueError, match="six"):
            nt.testing.assert_inverse_norm_gradient(loss, n=5, backend="torch", max_examples=1)
        assert (torch.get_num_threads(), seen) == (3, {1})
    finally:
        torch.set_num_threads(before)
