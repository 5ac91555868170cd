"""Low temperatures, solved batches, duplicates, hard negatives, extreme norms: finite and right."""

from __future__ import annotations

import functools
from functools import cache
from typing import Any

import jax
import mpmath as mp
import numpy as np
import pytest

from normtheory.losses import LOSSES, nt_xent, nt_xent_gradient
from tests.helpers import floor, precision, tolerance
from tests.normtheory.losses.batches import as_dtype, batch, closed_forms, part
from tests.normtheory.losses.cases import ALIKE, ONE_EACH
from tests.normtheory.losses.loops import exact

TEMPERATURES = {"solved": (1e-3, 0.0113, 0.0226, 0.1), "far apart": (1e-3, 0.0226)}
NAMES = [name for name, loss in LOSSES.items() if any(o.steepness for o in loss.options)]
"""All losses with a temperature, or what plays its part; the others have nothing to overflow."""
KINDS = ("solved", "far apart", "duplicates", "hard negatives", "random")
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


def _arguments(name: str, z_1: Any, z_2: Any, temperature: float) -> tuple[Any, dict[str, Any]]:
    """The batch in the shape that a loss wants."""
    others = np.roll(z_2, 1, axis=0)
    classes = {"labels": np.arange(N), "scale": 1 / temperature}
    if name == "uniformity":
        return (z_1,), {"sharpness": 0.5 / temperature}
    if name == "supcon":
        both = np.concatenate([z_1, z_2])
        return (both,), {"labels": np.tile(np.arange(N), 2), "temperature": temperature}
    if name == "moco":  # every other key of the batch, but not the own one of row 1
        return (z_1[1:2], z_2[1:2], others[[0, 1, 3]]), {"temperature": temperature}
    if name == "normface":
        return (z_1, z_2), classes
    if name == "cosface":
        return (z_1, z_2), {**classes, "margin": 0.1}
    if name == "arcface":  # turned away from the kink at φ = 0
        turned = z_2 + 0.2 * np.linalg.norm(z_2, axis=1, keepdims=True) * [0.6, 0.0, -0.8]
        return (z_1, turned.astype(z_2.dtype)), {**classes, "margin": 0.1}
    if name == "swav":
        return (z_1, z_2), {"codes": np.eye(N), "temperature": temperature}
    if name == "dino":  # the teacher is softer, so that the student may overdo it
        options = {"centre": 0.0, "temperature": temperature, "target_temperature": 2 * temperature}
        return (z_1, z_2, z_2, z_1), options
    options = {"temperature": temperature}
    if name == "siglip":  # the question half way between the positive and the nearest negative
        options["bias"] = -(1 - min(0.6, 30 * temperature) / 2) / temperature
    return (z_1, z_2), options


WAYS = ("JAX", "JAX in blocks", "numpy", "numpy in blocks")
SLOW = {("JAX", np.float32), ("JAX in blocks", np.float32), ("JAX in blocks", np.float64)}

IN_BOTH = [
    # A program of all losses each; in blocks test_blocks has JAX.
    pytest.param(
        *(name, way, dtype),
        marks=[pytest.mark.slow] * ((way, dtype) in SLOW),
        id=f"{name}-{way}-{dtype.__name__}",
    )
    for name in NAMES
    for way in WAYS
    for dtype in (np.float32, np.float64)
]


def _both(name: str, clouds: Any, options: dict[str, Any], block: int | None) -> Any:
    return LOSSES[name].value_and_gradient(
        *clouds, **options, **({"block": block} if LOSSES[name].all_pairs else {})
    )


@functools.partial(jax.jit, static_argnums=1)
def _all_losses(given: Any, block: int | None) -> Any:
    return {name: _both(name, z, o, block) for name, (z, o) in given.items()}


@cache
def _given(kind: str, temperature: float, dtype: Any) -> dict[str, Any]:
    """Arguments and options, as rounded to the dtype, by name."""
    z_1, z_2 = (z.astype(dtype) for z in _batch(kind, temperature))
    given = {}
    for name in NAMES:
        clouds, options = _arguments(name, z_1, z_2, temperature)
        # Options as the loss sees them: a temperature of 0.001 is another number in float32.
        rounded = {k: x if np.ndim(x) else float(dtype(x)) for k, x in options.items()}
        given[name] = (clouds, rounded)
    return given


@cache
def _of_all(kind: str, temperature: float, dtype: Any, way: str) -> tuple[Any, Any]:
    """What is given, and value and gradients, by name."""
    given = _given(kind, temperature, dtype)
    block = 3 if way.endswith("blocks") else None  # four rows, eight views
    if way.startswith("numpy"):
        found = {name: _both(name, z, o, block) for name, (z, o) in given.items()}
    else:
        with precision(dtype):
            arrays = {name: (z, as_dtype(options, dtype)) for name, (z, options) in given.items()}
            found = jax.tree.map(np.asarray, _all_losses(arrays, block))
    assert all(value.dtype == dtype for value, _ in found.values())
    return given, found


@cache
def _exact(name: str, kind: str, temperature: float, dtype: Any) -> tuple[Any, Any]:
    """Value of the loop, and the derivatives of one row of every trained cloud."""
    clouds, options = _given(kind, temperature, dtype)[name]
    entries = [(index, _row(name), x) for index in LOSSES[name].trained for x in range(D)]
    # log(1 + e⁻²ᐟᵗ) has to show its digits, and its differences theirs.
    shown = 40.0 if kind in ("solved", "duplicates") else 2 / temperature
    return exact(name, clouds, options, entries=entries, digits=70 + int(shown / np.log(10)))


def _row(name: str) -> int:
    return 0 if name == "moco" else 1


@pytest.mark.parametrize(("name", "way", "dtype"), IN_BOTH)
@pytest.mark.parametrize("kind", KINDS)
def test_value_and_gradient_are_those_of_mpmath(name, kind, dtype, way):
    tiny = float(np.finfo(dtype).tiny)
    for temperature in TEMPERATURES.get(kind, (1e-3, 0.0226)):
        given, by_name = _of_all(kind, temperature, dtype, way)
        (clouds, options), (value, gradients) = given[name], by_name[name]
        row, trained = _row(name), LOSSES[name].trained
        loop, derivatives = _exact(name, kind, temperature, dtype)
        # A rounding of a cosine moves a logit by eps/τ, and so e to its power in relation to
        # itself. Only the decoupled loss goes through 0, where a logit's own rounding remains.
        relative = tolerance("gradient", dtype) / temperature
        slack = relative if name == "decoupled" else tiny
        if name == "uniformity":  # the chord of two points that coincide is known to eps
            slack += options["sharpness"] * tolerance("similarity", dtype) ** 2
        assert abs(mp.mpf(float(value)) - loop) <= relative * abs(loop) + slack
        assert all(np.isfinite(g).all() for g in gradients)
        for index, position in enumerate(trained):
            norm = float(np.linalg.norm(clouds[position][row].astype(np.float64)))
            reference = derivatives[index * D : (index + 1) * D]
            found = gradients[index][row].astype(np.float64)
            off = mp.norm([mp.mpf(float(f)) - e for f, e in zip(found, reference, strict=True)])
            # Duplicates pull against each other at full strength, 1/τ, and cancel.
            size = 1 / (norm * temperature) if kind == "duplicates" else mp.norm(reference)
            slack = 64 * tiny
            if name == "siglip":
                slack += floor(dtype) * _own_share(clouds, options, row)
            assert off <= relative * size + slack / (norm * temperature)


def _own_share(clouds: Any, options: dict[str, Any], row: int) -> float:
    """1 - p of the positive's own question in SigLIP.

    Where the positive is parallel to the row it pulls with this share at nothing, and the
    projection leaves eps^1.5 of it, while the negatives, which alone have a gradient, may be
    fainter by any factor. A softmax gives both sides the same share, so this is seen here only.
    """
    u, v = (z[row].astype(np.float64) for z in clouds)
    cosine = float(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
    return float(np.exp(-np.logaddexp(0, cosine / options["temperature"] + options["bias"])))


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[pytest.mark.slow] * (way == "JAX in blocks")) for way in WAYS]
)
@pytest.mark.parametrize("name", ["info_nce", "clip", "nt_xent", "supcon", "swav", "moco", "dino"])
def test_a_solved_batch_keeps_the_digits_of_its_loss(name, way):
    given, found = _of_all("solved", 0.0113, np.float64, way)
    clouds, options = given[name]
    loop, _ = exact(name, clouds, options, digits=100)
    value = float(found[name][0])
    assert 0 < value < (1e-4 if name == "dino" else 1e-11)  # a teacher is never that sure
    assert abs(mp.mpf(value) - loop) <= tolerance("gradient") / 0.0113 * loop


@pytest.mark.parametrize("width", [1e-2, 1e-5, 1e-7])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("uniformity", {"sharpness": 2.0}),
        ("alignment", {"power": 2.0}),
        ("byol", {}),
    ],
)
def test_a_collapsed_cloud_keeps_the_digits_of_its_loss(name, options, width):
    # All points within a width w of one direction: a loss of the order of w², whose chords are
    # known to eps/w. From cosines it would be known to eps/w², so to nothing at 1e-7.
    rng = np.random.default_rng(3)
    count = {"uniformity": 1, "alignment": 2, "byol": 4}[name]
    middle = rng.standard_normal(D)
    clouds = [middle + width * rng.standard_normal((N, D)) for _ in range(count)]
    clouds = tuple(z * [[0.5], [3.0], [1.0], [20.0]] for z in clouds)
    with precision(np.float64):
        value = float(jax.jit(functools.partial(LOSSES[name].value, **options))(*clouds))
    loop, _ = exact(name, clouds, options, digits=60)
    assert abs(loop) < 100 * width**2
    assert abs(mp.mpf(value) - loop) <= tolerance("closed_form") / width * abs(loop)


@cache
def _at_extreme_norms(dtype: Any, alike: bool | None) -> tuple[Any, Any, Any]:
    """Closed forms at norms of 1 and of powers of two near 1e±18 and 1e±150, and these powers."""
    drawn = batch(0) if alike is None else part(batch(0), alike)
    exponent = 60 if dtype == np.float32 else 498
    ordinary, extreme, powers = {}, {}, {}
    for label, (clouds, options) in drawn.items():
        unit = [(z / np.linalg.norm(z, axis=1, keepdims=True)).astype(dtype) for z in clouds]
        powers[label] = [
            np.exp2(np.resize([exponent, -exponent], len(z))[:, None]).astype(dtype) for z in unit
        ]
        moved = tuple(z * power for z, power in zip(unit, powers[label], strict=True))
        ordinary[label], extreme[label] = (tuple(unit), options), (moved, options)
    return closed_forms(ordinary), closed_forms(extreme), powers


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        pytest.param(
            *(case, dtype),
            marks=[pytest.mark.slow] * (dtype is np.float32 and case.label in ALIKE),
            id=f"{case.name}-{dtype.__name__}",
        )
        for case in ONE_EACH
        for dtype in (np.float32, np.float64)
    ],
)
def test_extreme_norms_change_nothing(case, dtype):
    alike = None if dtype == np.float64 else case.label in ALIKE
    before, after, powers = (found[case.label] for found in _at_extreme_norms(dtype, alike))
    decades = 18 if dtype == np.float32 else 149.9
    assert powers[0].max() >= 10.0**decades
    assert powers[0].min() <= 10.0**-decades
    for position, g, h in zip(case.loss.trained, before, after, strict=True):
        assert np.abs(g).max() > 0
        np.testing.assert_array_equal(h * powers[position], g)  # the same to the bit


# Four pairs of orthogonal unit vectors: the loss is log(1 + (2n - 2) e^(-1/τ)), and the gradient of
# a view is (2n - 2) e^(-1/τ) …, all of it from the views that are no partners.
@pytest.mark.parametrize("temperature", [0.5, 0.0226, 0.0113, 1e-3])
def test_nt_xent_of_a_solved_batch_in_float32(temperature):
    z = np.eye(N, dtype=np.float32)
    value, (g_1, g_2) = _nt_xent(z, z, np.float32(temperature))
    with mp.workdps(60):
        power = mp.exp(-1 / mp.mpf(float(np.float32(temperature))))
        off = power / (1 + (2 * N - 2) * power)  # probability of a view that is no partner
        exact_value = mp.log1p((2 * N - 2) * power)
        # ∇z_i = Σ_k 2 p_ik ẑ_k/(2nτ): each of the other directions is held by two views.
        exact_g = 2 * 2 * off / (2 * N * mp.mpf(float(np.float32(temperature))))
    relative = tolerance("gradient", np.float32) / temperature
    tiny = float(np.finfo(np.float32).tiny)
    assert abs(float(value) - exact_value) <= relative * exact_value + tiny
    for g in (g_1, g_2):
        assert np.isfinite(g).all()
        expected = float(exact_g) * (1 - np.eye(N))
        slack = relative * float(exact_g) + 64 * tiny / temperature
        np.testing.assert_allclose(g, expected, rtol=0, atol=slack)


@jax.jit
def _nt_xent(z_1: Any, z_2: Any, temperature: Any) -> Any:
    return (
        nt_xent(z_1, z_2, temperature=temperature),
        nt_xent_gradient(z_1, z_2, temperature=temperature),
    )


def test_where_optax_has_no_gradient_there_is_one():
    optax = pytest.importorskip("optax")
    labels = np.tile(np.arange(2, dtype=np.int32), 2)
    random = np.random.default_rng(0).standard_normal((4, D)).astype(np.float32)
    solved = np.tile(np.eye(D, dtype=np.float32)[:1] * [[1], [-1]], (2, 1)).astype(np.float32)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        gradient = jax.jit(jax.grad(optax.losses.ntxent))
        theirs = [np.asarray(gradient(*x)) for x in ((random, labels, 0.5), (solved, labels, 0.02))]
    value, ours = _nt_xent(random[:2], random[2:], np.float32(0.5))
    bound = tolerance("gradient", np.float32) * 2 / 0.5 / np.linalg.norm(random, axis=1).min()
    np.testing.assert_allclose(theirs[0], np.concatenate(ours), rtol=0, atol=bound)
    # Partners coincide and the others are opposite: log(1 + 2 e^(-2/τ)) underflows, as does its
    # gradient, to 0. Where the others are at a right angle, the same happens below τ = 0.0114.
    value, ours = _nt_xent(solved[:2], solved[2:], np.float32(0.02))
    assert value == 0
    assert not np.concatenate(ours).any()
    if optax.__version__ == "0.2.8":  # a later one may have mended it
        assert np.isnan(theirs[1]).any()
