"""SwAV and DINO: views agree on how they are spread over prototypes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_values, concrete
from normtheory.losses import _core
from normtheory.losses._core import Array, Slope, of_similarities, product
from normtheory.losses._registry import Arguments, Loss, cloud
from normtheory.losses._softmax import soft_cross_entropy


def _swav(u: Array, c: Array, *, codes: Array, temperature: Array) -> Slope:
    similarity = product(u, c.T)
    loss, derivative = soft_cross_entropy(similarity / temperature, codes)
    weights = derivative / (u.shape[0] * temperature)
    by_temperature = -jnp.sum(weights * similarity) / temperature
    return of_similarities(jnp.mean(loss), weights, u, c, temperature=by_temperature)


def _swav_arguments(z: Array, prototypes: Array, codes: Any, temperature: Any) -> dict[str, Array]:
    _core.check_temperature(temperature)
    shape = (np.shape(z)[0], np.shape(prototypes)[0])
    if np.shape(codes) != shape:
        raise ValueError(f"codes: expected shape {shape}, got {np.shape(codes)}")
    check_values("codes", jnp.asarray(codes), least=0.0)
    seen = concrete(jnp.asarray(codes))
    if seen is not None and not np.allclose(seen.sum(axis=-1), 1, atol=1e-5):
        raise ValueError("codes: expected rows that sum to 1")
    return {"z": z, "prototypes": prototypes}


def swav(z: Array, prototypes: Array, codes: Array, *, temperature: Any = 0.1) -> Array:
    """SwAV: cross-entropy between fixed codes and softmax_k(ẑ·ĉ_k/τ), mean over a view.

    Args:
        z: embeddings of one view, shape (n, d), nonzero rows.
        prototypes: shape (k, d), nonzero rows; trained too.
        codes: assignments of the *other* view, shape (n, k), rows >= 0 that sum to 1; constants.
            SwAV's loss is this for one view plus this for the other.
        temperature: τ > 0; differentiable.

    Returns:
        The loss, a scalar.

    Raises:
        TypeError, ValueError: clouds or codes that don't fit, zero or non-finite rows (named), τ <=
            0.

    Reference:
        Caron et al. 2020, equation 2.
    """
    clouds = _swav_arguments(z, prototypes, codes, temperature)
    return _core.value(_swav, clouds, codes=codes, temperature=temperature)


def swav_gradient(
    z: Array, prototypes: Array, codes: Array, *, temperature: Any = 0.1
) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`swav` with respect to embeddings and prototypes."""
    clouds = _swav_arguments(z, prototypes, codes, temperature)
    g_z, g_c = _core.gradient(_swav, clouds, codes=codes, temperature=temperature)
    return g_z, g_c


def _dino(
    u: Array,
    t: Array,
    c: Array,
    c_t: Array,
    *,
    centre: Array,
    temperature: Array,
    target_temperature: Array,
) -> Slope:
    teacher = (product(t, c_t.T) - jnp.reshape(centre, (1, -1))) / target_temperature
    targets = jax.nn.softmax(teacher, axis=-1)
    out = _swav(u, c, codes=jax.lax.stop_gradient(targets), temperature=temperature)
    by_student, by_prototypes = out.slopes
    return Slope(out.value, (by_student, None, by_prototypes, None), out.parameters)


def _dino_arguments(
    z: Array,
    target: Array,
    prototypes: Array,
    target_prototypes: Array,
    centre: Any,
    *temperatures: Any,
) -> dict[str, Array]:
    _core.check_paired(z=z, target=target)
    _core.check_paired(prototypes=prototypes, target_prototypes=target_prototypes)
    for temperature, name in zip(temperatures, ("temperature", "target_temperature"), strict=True):
        _core.check_temperature(temperature, name)
    check_values("centre", jnp.asarray(centre))
    shape = np.shape(prototypes)[:1]
    if np.shape(centre) not in ((), shape):
        raise ValueError(f"centre: expected a number or shape {shape}, got {np.shape(centre)}")
    return {
        "z": z,
        "target": target,
        "prototypes": prototypes,
        "target_prototypes": target_prototypes,
    }


def dino(
    z: Array,
    target: Array,
    prototypes: Array,
    target_prototypes: Array,
    *,
    centre: Any = 0.0,
    temperature: Any = 0.1,
    target_temperature: Any = 0.04,
) -> Array:
    """DINO: the student's softmax over prototypes follows the teacher's, centred and sharpened.

    -Σ_k q_k log softmax_k(ẑ·ĉ_k/τ), q = softmax((t̂·ĉ'_k - centre_k)/τ'), mean over a view.

    Args:
        z: student's bottleneck embeddings of one view, shape (n, d), nonzero rows.
        target: teacher's embeddings of another view, shape (n, d); constants.
        prototypes: the student's weight-normalised last layer, shape (k, d); trained too.
        target_prototypes: the teacher's, shape (k, d); constants.
        centre: running mean of the teacher's outputs, shape (k,) or a number; a constant.
        temperature: τ > 0 of the student; differentiable.
        target_temperature: τ' > 0 of the teacher, a constant; below τ it sharpens.

    Returns:
        The loss, a scalar. ``jax.grad`` gives 0 for all that is the teacher's.

    Raises:
        TypeError, ValueError: clouds that don't fit, zero or non-finite rows (named), temperatures
            <= 0.

    Reference:
        Caron et al. 2021, equations 1 and 2 and section 3.1.
    """
    clouds = _dino_arguments(
        z, target, prototypes, target_prototypes, centre, temperature, target_temperature
    )
    return _core.value(
        _dino, clouds, centre=centre, temperature=temperature, target_temperature=target_temperature
    )


def dino_gradient(
    z: Array,
    target: Array,
    prototypes: Array,
    target_prototypes: Array,
    *,
    centre: Any = 0.0,
    temperature: Any = 0.1,
    target_temperature: Any = 0.04,
) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`dino` with respect to student embeddings and prototypes."""
    clouds = _dino_arguments(
        z, target, prototypes, target_prototypes, centre, temperature, target_temperature
    )
    g_z, g_c = _core.gradient(
        _dino, clouds, centre=centre, temperature=temperature, target_temperature=target_temperature
    )
    return g_z, g_c


def _swav_example(rng: np.random.Generator, n: int, dimension: int) -> Arguments:
    codes = rng.dirichlet(np.ones(5), n)
    return (cloud(rng, n, dimension), cloud(rng, 5, dimension)), {
        "codes": codes,
        "temperature": 0.2,
    }


def _dino_example(rng: np.random.Generator, n: int, dimension: int) -> Arguments:
    found = tuple(cloud(rng, size, dimension) for size in (n, n, 5, 5))
    return found, {"centre": 0.1 * rng.standard_normal(5)}


LOSSES = (
    Loss("swav", swav, swav_gradient, "Caron et al. 2020, eq. 2", (0, 1), _swav_example),
    Loss(
        "dino",
        dino,
        dino_gradient,
        "Caron et al. 2021, eqs. 1-2",
        (0, 2),
        _dino_example,
        stop_gradient=True,
    ),
)
