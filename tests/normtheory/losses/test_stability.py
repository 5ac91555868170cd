"""Low temperatures, solved batches, duplicates, hard negatives, extreme norms: finite and right."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from normtheory.losses import LOSSES, nt_xent, nt_xent_gradient
from tests.helpers import floor, precision, tolerance
from tests.normtheory.losses.cases import as_dtype, closed_form, draw, one_each
from tests.normtheory.losses.loops import exact

TEMPERATURES = {"solved": (1e-3, 0.0113, 0.0226, 0.1), "far apart": (1e-3, 0.0226)}
NAMES = ("info_nce", "clip", "nt_xent", "decoupled", "supcon", "siglip", "moco", "normface", "swav")
N, D = 4, 3


def _cone(cosine: float) -> np.ndarray:
    """Four directions around an axis, the nearest two at the given cosine."""
    spread = np.sqrt(1 - cosine)
    turns = np.pi / 2 * np.arange(N)
    around = np.stack([np.cos(turns), np.sin(turns)], axis=1) * spread
    return np.concatenate([around, np.full((N, 1), np.sqrt(cosine))], axis=1)


def _batch(kind: str, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Two views of four points."""
    rng = np.random.default_rng(6)
    norms = np.array([[0.5], [3.0], [1.0], [20.0]])
    if kind == "solved":  # the positive leads by 30 temperatures: a loss of about e⁻³⁰
        z_1 = _cone(1 - min(0.6, 30 * temperature))
        return z_1 * norms, z_1 * norms
    if kind == "far apart":
        z_1 = np.concatenate([np.eye(D), -np.ones((1, D))])
        return z_1 * norms, z_1 * norms
    if kind == "duplicates":
        z_1 = np.tile(rng.standard_normal((1, D)), (N, 1))
        return z_1, z_1.copy()
    if kind == "hard negatives":  # every anchor lies nearer to another's key than to its own
        z_2 = _cone(0.3)
        return np.roll(z_2, 1, axis=0) * norms + 0.01, z_2 * norms
    return tuple(rng.standard_normal((2, N, D)))  # pyright: ignore


def _arguments(name, z_1, z_2, temperature):
    """The batch in the shape that a loss wants."""
    others = np.roll(z_2, 1, axis=0)
    if name == "supcon":
        both = np.concatenate([z_1, z_2])
        return (both,), {"labels": np.tile(np.arange(N), 2), "temperature": temperature}
    if name == "moco":  # every other key of the batch, but not the own one of row 1
        queue = others if np.allclose(z_1, z_1[:1]) else others[[0, 1, 3]]
        return (z_1[1:2], z_2[1:2], queue), {"temperature": temperature}
    if name == "normface":
        return (z_1, z_2), {"labels": np.arange(N), "scale": 1 / temperature}
    if name == "swav":
        return (z_1, z_2), {"codes": np.eye(N), "temperature": temperature}
    options = {"temperature": temperature}
    if name == "siglip":  # the question half way between the positive and the nearest negative
        options["bias"] = -(1 - min(0.6, 30 * temperature) / 2) / temperature
    return (z_1, z_2), options


@cache
def _compiled(name, dtype):
    loss = LOSSES[name]
    return jax.jit(lambda z, o: (loss.value(*z, **o), loss.gradient(*z, **o)))


def _run(name, clouds, options, dtype):
    with precision(dtype):
        moving = as_dtype(options, dtype)
        value, gradients = _compiled(name, dtype)(clouds, moving)
        assert value.dtype == dtype
        return float(value), [np.asarray(g) for g in gradients]


def _rounded(options, dtype):
    """Options as the loss sees them: a temperature of 0.001 is another number in float32."""
    return {
        key: value if isinstance(value, np.ndarray) else float(dtype(value))
        for key, value in options.items()
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["solved", "far apart", "duplicates", "hard negatives", "random"])
@pytest.mark.parametrize("name", NAMES)
def test_value_and_gradient_are_those_of_mpmath(name, kind, dtype):
    info = np.finfo(dtype)
    for temperature in TEMPERATURES.get(kind, (1e-3, 0.0226)):
        z_1, z_2 = (z.astype(dtype) for z in _batch(kind, temperature))
        clouds, options = _arguments(name, z_1, z_2, temperature)
        options = _rounded(options, dtype)
        value, gradients = _run(name, clouds, options, dtype)
        row = 0 if name == "moco" else 1
        trained = LOSSES[name].trained
        entries = [(index, row, component) for index in trained for component in range(D)]
        # log(1 + e⁻²ᐟᵗ) has to show its digits, and its differences theirs.
        shown = 40.0 if kind in ("solved", "duplicates") else 2 / temperature
        digits = 100 + int(shown / np.log(10))
        loop, derivatives = exact(name, clouds, options, entries=entries, digits=digits)
        # A rounding of a cosine moves a logit by eps/τ, and so e to its power in relation to
        # itself. Only the decoupled loss goes through 0, where a logit's own rounding remains.
        relative = tolerance("gradient", dtype) / temperature
        slack = relative if name == "decoupled" else float(info.tiny)
        assert abs(mp.mpf(value) - loop) <= relative * abs(loop) + slack
        assert np.isfinite(np.concatenate(gradients)).all()
        for index, position in enumerate(trained):
            norm = float(np.linalg.norm(clouds[position][row].astype(np.float64)))
            reference = derivatives[index * D : (index + 1) * D]
            found = gradients[index][row].astype(np.float64)
            off = mp.norm([mp.mpf(float(f)) - e for f, e in zip(found, reference, strict=True)])
            # Duplicates pull against each other at full strength, 1/τ, and cancel.
            size = 1 / (norm * temperature) if kind == "duplicates" else mp.norm(reference)
            slack = 64 * float(info.tiny)
            if name == "siglip":
                # The positive has a weight of its own, of e⁻¹⁵ where it is parallel to the row:
                # what the projection leaves of it.
                slack += floor(dtype) * np.exp(-15)
            assert off <= relative * size + slack / (norm * temperature)


@pytest.mark.parametrize("name", ["info_nce", "nt_xent", "supcon", "swav", "moco"])
def test_a_solved_batch_keeps_the_digits_of_its_loss(name):
    clouds, options = _arguments(name, *_batch("solved", 1e-2), 1e-2)
    value, _ = _run(name, clouds, options, np.float64)
    loop, _ = exact(name, clouds, options, digits=200)
    assert 0 < value < 1e-12  # eps of 1 - p would be all that a subtraction leaves
    assert value == pytest.approx(float(loop), rel=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_solved_dino_keeps_the_digits_of_its_gradient(dtype):
    # Sharp teacher: all that it leaves to the other prototypes is e⁻³⁰.
    loss = LOSSES["dino"]
    z = _cone(0.4).astype(dtype)
    options = {"centre": 0.0, "temperature": 0.01, "target_temperature": 0.02}
    with precision(dtype):
        value = float(loss.value(z, z, z, z, **options))
        g, _ = (np.asarray(x, np.float64) for x in loss.gradient(z, z, z, z, **options))
    wide = z.astype(np.float64)
    u = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    logits = u @ u.T
    off = ~np.eye(N, dtype=bool)
    p, q = (np.where(off, np.exp((logits - np.diag(logits)[:, None]) / t), 0) for t in (0.01, 0.02))
    weights = p / (1 + p.sum(axis=1, keepdims=True)) - q / (1 + q.sum(axis=1, keepdims=True))
    weights -= np.diag(weights.sum(axis=1))
    slope = weights @ u / (N * 0.01)
    exact_g = slope - u * np.sum(u * slope, axis=1, keepdims=True)
    assert 0 < value < 1e-9
    size = np.linalg.norm(exact_g, axis=1)
    assert size.max() < 1e-9
    relative = tolerance("gradient", dtype) / 0.01
    assert (np.linalg.norm(g - exact_g, axis=1) <= relative * size).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", **one_each)
def test_extreme_norms_change_nothing(case, dtype):
    clouds, options = draw(case, np.random.default_rng(0), 7, 3)
    decades, exponent = (18, 60) if dtype == np.float32 else (150, 498)
    unit = tuple((z / np.linalg.norm(z, axis=1, keepdims=True)).astype(dtype) for z in clouds)
    # Powers of two near 1e±18 and 1e±150: the result is the same to the bit.
    powers = [
        np.exp2(np.resize([exponent, -exponent], len(z))[:, None]).astype(dtype) for z in unit
    ]
    assert powers[0].max() >= 10.0 ** (decades - 0.1)
    assert powers[0].min() <= 10.0 ** -(decades - 0.1)
    moved = tuple(z * power for z, power in zip(unit, powers, strict=True))
    before, after = closed_form(case)(unit, options), closed_form(case)(moved, options)
    for position, g, h in zip(case.loss.trained, before, after, strict=True):
        assert np.abs(g).max() > 0
        np.testing.assert_array_equal(h * powers[position], g)


@pytest.mark.parametrize("temperature", [0.5, 0.0226, 0.01, 1e-3])
def test_where_optax_is_finite_it_agrees(temperature):
    """Here optax 0.2.8 gives a NaN gradient at temperatures of 0.0226 and below."""
    optax = pytest.importorskip("optax")
    z = np.concatenate([np.eye(N), np.eye(N)]).astype(np.float32)
    labels = np.tile(np.arange(N, dtype=np.int32), 2)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        theirs = np.asarray(
            jax.grad(lambda x: optax.losses.ntxent(x, jnp.asarray(labels), temperature))(
                jnp.asarray(z)
            )
        )
    value = float(nt_xent(z[:N], z[N:], temperature=temperature))  # pyright: ignore
    ours = np.concatenate(nt_xent_gradient(z[:N], z[N:], temperature=temperature))  # pyright: ignore
    assert np.isfinite(ours).all()
    # Orthogonal unit vectors in pairs: log(1 + (2n - 2) e^(-1/τ)).
    with mp.workdps(60):
        exact_value = mp.log(1 + (2 * N - 2) * mp.exp(-1 / mp.mpf(float(np.float32(temperature)))))
    assert abs(value - exact_value) <= 64 * 1.2e-7 / temperature * exact_value + 2e-38
    if np.isfinite(theirs).all() and temperature > 0.1:
        np.testing.assert_allclose(ours, theirs, atol=64 * 1.2e-7 / temperature)
