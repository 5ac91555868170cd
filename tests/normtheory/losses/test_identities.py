"""Losses that are one another in disguise, bounds that are met, limits."""

from __future__ import annotations

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normtheory import losses
from normtheory.losses import LOSSES, Loss
from normtheory.verify._plain_losses import PLAIN
from tests.helpers import precision, tolerance
from tests.normtheory.losses.cases import error

N, D, TAU = 7, 3, 0.2
_JITTED: dict = {}


def run(name, *clouds, **options):
    """Value and closed-form gradients, compiled once."""
    loss: Loss = LOSSES[name]
    fixed = {key: value for key, value in options.items() if isinstance(value, bool)}
    moving = {key: value for key, value in options.items() if key not in fixed}
    key = (name, tuple(fixed.items()), tuple(moving), tuple(z.shape for z in clouds))
    if key not in _JITTED:
        _JITTED[key] = jax.jit(
            lambda z, o: (loss.value(*z, **fixed, **o), loss.gradient(*z, **fixed, **o))
        )
    with precision(np.float64):
        value, gradients = _JITTED[key](tuple(map(jnp.asarray, clouds)), moving)
        return float(value), [np.asarray(g) for g in gradients]


@pytest.fixture
def clouds():
    rng = np.random.default_rng(8)
    norms = np.exp(rng.uniform(-5, 5, (4, N, 1)))
    return rng.standard_normal((4, N, D)) * norms


def _same(found, exact, clouds, pull):
    """Equal to rounding, in units of pull/n: the natural size of a scale-free gradient."""
    for g, e, z in zip(found, exact, clouds, strict=True):
        assert error(g, e, z).max() <= pull / N * tolerance("law")


def test_byol_is_four_plus_four_simsiam(clouds):
    byol, by_byol = run("byol", *clouds)
    simsiam, by_simsiam = run("simsiam", *clouds)
    assert byol == pytest.approx(4 + 4 * simsiam, rel=1e-14)
    _same(by_byol, [4 * g for g in by_simsiam], clouds[:2], 2)


def test_alignment_of_power_two_is_two_plus_two_attraction(clouds):
    alignment, by_alignment = run("alignment", *clouds[:2], power=2.0)
    attraction, by_attraction = run("attraction", *clouds[:2])
    assert alignment == pytest.approx(2 + 2 * attraction, rel=1e-14)
    _same(by_alignment, [2 * g for g in by_attraction], clouds[:2], 4)


def test_repulsion_is_minus_attraction(clouds):
    assert run("repulsion", *clouds[:2])[0] == -run("attraction", *clouds[:2])[0]


def test_clip_is_half_of_symmetric_info_nce(clouds):
    clip, by_clip = run("clip", *clouds[:2], temperature=TAU)
    both, by_both = run("info_nce", *clouds[:2], temperature=TAU, symmetric=True)
    assert clip == pytest.approx(both / 2, rel=1e-14)
    _same(by_clip, [g / 2 for g in by_both], clouds[:2], 2 / TAU)


@pytest.mark.parametrize("name", ["info_nce", "decoupled"])
def test_symmetric_is_the_sum_of_the_two_roles(clouds, name):
    z_1, z_2 = clouds[:2]
    both, by_both = run(name, z_1, z_2, temperature=TAU, symmetric=True)
    one, (g_1, g_2) = run(name, z_1, z_2, temperature=TAU, symmetric=False)
    other, (h_2, h_1) = run(name, z_2, z_1, temperature=TAU, symmetric=False)
    assert both == pytest.approx(one + other, rel=1e-14)
    _same(by_both, [g_1 + h_1, g_2 + h_2], (z_1, z_2), 4 / TAU)


def test_cosface_without_margin_is_normface(clouds):
    labels = np.arange(N) % N
    normface = run("normface", *clouds[:2], labels=labels, scale=4.0)
    cosface = run("cosface", *clouds[:2], labels=labels, scale=4.0, margin=0.0)
    arcface = run("arcface", *clouds[:2], labels=labels, scale=4.0, margin=0.0)
    assert cosface[0] == pytest.approx(normface[0], rel=1e-14)
    assert arcface[0] == pytest.approx(normface[0], rel=1e-14)
    _same(cosface[1], normface[1], clouds[:2], 8)
    _same(arcface[1], normface[1], clouds[:2], 8)


def test_normface_with_one_class_a_point_is_info_nce(clouds):
    found = run("normface", *clouds[:2], labels=np.arange(N), scale=1 / TAU)
    exact = run("info_nce", *clouds[:2], temperature=TAU)
    assert found[0] == pytest.approx(exact[0], rel=1e-14)
    _same(found[1], exact[1], clouds[:2], 2 / TAU)


def test_supcon_of_pairs_is_nt_xent(clouds):
    z_1, z_2 = clouds[:2]
    nt_xent, (g_1, g_2) = run("nt_xent", z_1, z_2, temperature=TAU)
    both = np.concatenate([z_1, z_2])
    supcon, (g,) = run("supcon", both, labels=np.tile(np.arange(N), 2), temperature=TAU)
    assert supcon == pytest.approx(nt_xent, rel=1e-14)
    _same([g], [np.concatenate([g_1, g_2])], [both], 2 / TAU)


def _probabilities(z_1, z_2, temperature):
    u, v = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (z_1, z_2))
    powers = np.exp(u @ v.T / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def test_info_nce_anchor_gradient_is_the_decoupled_one_times_what_the_positive_lacks(clouds):
    # The negative positive coupling of Yeh et al. 2022; theory.md item 3
    z_1, z_2 = clouds[:2]
    _, (of_info_nce, _) = run("info_nce", z_1, z_2, temperature=TAU)
    _, (of_decoupled, _) = run("decoupled", z_1, z_2, temperature=TAU)
    lacking = 1 - np.diag(_probabilities(z_1, z_2, TAU))
    _same([of_info_nce], [lacking[:, None] * of_decoupled], [z_1], 2 / TAU)


@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_info_nce_anchor_gradient_is_bounded(temperature):
    rng = np.random.default_rng(0)
    for scale in (0.01, 0.3, 3.0):  # solved, mixed, random batches
        z_1 = rng.standard_normal((N, D)) * np.exp(rng.uniform(-3, 3, (N, 1)))
        z_2 = z_1 + scale * np.linalg.norm(z_1, axis=1, keepdims=True) * rng.standard_normal((N, D))
        _, (g, _) = run("info_nce", z_1, z_2, temperature=temperature)
        lacking = 1 - np.diag(_probabilities(z_1, z_2, temperature))
        bound = 2 * lacking / (N * temperature * np.linalg.norm(z_1, axis=1))
        assert (np.linalg.norm(g, axis=1) <= bound * (1 + 1e-9)).all()


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_the_bound_of_info_nce_is_met(temperature):
    # The positive at a tangent of the anchor, all negatives at the opposite one: P(v̂_a - Σ_b p_ab
    # v̂_b/(1 - p_aa)) has length 2. All keys are at a right angle, so p = 1/n.
    x, y = np.eye(D)[:2]
    keys = np.tile(-3 * y, (N, 1))
    keys[0] = 5 * y
    _, (g, _) = run("info_nce", np.tile(2 * x, (N, 1)), keys, temperature=temperature)
    bound = 2 * (1 - 1 / N) / (N * temperature * 2)
    assert np.linalg.norm(g[0]) == pytest.approx(bound, rel=tolerance("closed_form"))


def _bound_of_nt_xent(z_1, z_2, temperature):
    """(2(1 - p_ij) + (1 - p_ji) + Σ_{k≠j} p_ki)/(2nτρ_i): what all the pulls on a view add up to.

    Its own softmax pulls with 1 - p_ij towards the partner and as much away from the others, the
    partner's with 1 - p_ji, and the others' push with p_ki.
    """
    views = np.concatenate([z_1, z_2])
    norms = np.linalg.norm(views, axis=1)
    u = views / norms[:, None]
    powers = np.exp(u @ u.T / temperature) * (1 - np.eye(len(views)))
    p = powers / powers.sum(axis=1, keepdims=True)
    index = np.arange(len(views))
    partner = np.roll(index, len(z_1))
    own, to_me, column = p[index, partner], p[partner, index], p.sum(axis=0)
    pull = 2 * (1 - own) + (1 - to_me) + (column - to_me)
    return pull / (len(views) * temperature * norms)


@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_nt_xent_gradient_is_bounded_by_both_roles(temperature):
    for seed in range(4):
        z_1, z_2 = np.random.default_rng(seed).standard_normal((2, N, D))
        _, gradients = run("nt_xent", z_1, z_2, temperature=temperature)
        lengths = np.linalg.norm(np.concatenate(gradients), axis=1)
        assert (lengths <= _bound_of_nt_xent(z_1, z_2, temperature) * (1 + 1e-12)).all()


@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_the_bound_of_nt_xent_is_met(temperature):
    # The partner of the first view at a tangent of it, all other views at the opposite one: all
    # four pulls point the same way.
    x, y = np.eye(D)[:2]
    z_1, z_2 = np.tile(-3 * y, (2, N, 1))
    z_1[0], z_2[0] = 2 * x, 5 * y
    _, (g, _) = run("nt_xent", z_1, z_2, temperature=temperature)
    bound = _bound_of_nt_xent(z_1, z_2, temperature)[0]
    assert np.linalg.norm(g[0]) == pytest.approx(bound, rel=tolerance("closed_form"))
    if temperature == 1.0:  # below, the others leave the two alone, and one role is all there is
        own = 2 * (1 - 1 / (2 * N - 1)) / (2 * N * temperature * 2)
        assert np.linalg.norm(g[0]) > 1.2 * own


def test_hot_info_nce_is_attraction_minus_mean_repulsion_over_the_temperature(clouds):
    z_1, z_2 = clouds[:2]
    u, v = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (z_1, z_2))
    _, (pull_1, pull_2) = run("attraction", z_1, z_2)
    # gradient of the mean cosine of all pairs, by the tangent projection
    mean_1 = (v.mean(axis=0) - u * (u @ v.mean(axis=0))[:, None]) / np.linalg.norm(
        z_1, axis=1, keepdims=True
    )
    mean_2 = (u.mean(axis=0) - v * (v @ u.mean(axis=0))[:, None]) / np.linalg.norm(
        z_2, axis=1, keepdims=True
    )
    limit = (pull_1 + mean_1 / N, pull_2 + mean_2 / N)
    off = []
    for temperature in (1e2, 1e4):
        _, found = run("info_nce", z_1, z_2, temperature=temperature)
        off.append(
            max(
                error(temperature * g, e, z).max()
                for g, e, z in zip(found, limit, (z_1, z_2), strict=True)
            )
        )
    assert off[0] < 1e-2
    assert off[1] == pytest.approx(off[0] / 100, rel=0.05)  # the next term is of order 1/τ


def test_the_registry_holds_the_public_functions():
    for name, loss in LOSSES.items():
        assert getattr(losses, name) is loss.value
        assert getattr(losses, f"{name}_gradient") == loss.gradient
        assert {name, f"{name}_gradient"} <= set(losses.__all__)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
def test_arguments_and_defaults_are_those_of_the_plain_definition(loss):
    stated = inspect.signature(PLAIN[loss.name]).parameters
    found = dict(loss.signature.parameters)
    assert list(stated) == [name for name in found if name not in ("block", "group")]
    for name, parameter in stated.items():
        if parameter.default is not inspect.Parameter.empty:
            assert found[name].default == parameter.default, name
    assert ("block" in found) == loss.all_pairs
