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
        return _jax_info_nce(nt.grad_scale(z, 1.0))

    nt.testing.assert_orthogonal_gradient(loss)
    with pytest.raises(AssertionError, match=r"backward pass multiplies it by norm\^1\.00"):
        nt.testing.assert_inverse_norm_gradient(loss)


def test_a_stopped_norm_is_inverse_but_not_orthogonal() -> None:
    def loss(z: jax.Array) -> jax.Array:
        norm = jax.lax.stop_gradient(jnp.linalg.norm(z, axis=1, keepdims=True))
        return jnp.mean((z / norm)[:, 0] ** 3)

    nt.testing.assert_inverse_norm_gradient(loss)
    with pytest.raises(AssertionError, match="the gradient is stopped through the norm"):
        nt.testing.assert_orthogonal_gradient(loss)
    with pytest.raises(AssertionError, match="a step of SGD shrinks a norm"):
        nt.testing.assert_norm_never_shrinks(loss)


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
