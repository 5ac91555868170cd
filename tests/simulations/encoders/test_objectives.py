"""Every loss of the library on a network: what it is given, and where its gradient goes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normtheory.losses import LOSSES
from simulations.encoders.models import Mlp
from simulations.encoders.objectives import Batch, NewLearner, Objective, _given, codes

NEW = NewLearner(Mlp((6, 8, 4)), Mlp((4, 8, 4)), (3, 4))


def batch(seed: int = 0, n: int = 6) -> Batch:
    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((2, n, 6)).astype(np.float32)
    return Batch(*map(jnp.asarray, (first, second, np.arange(n) % 3)))


LEARNER, TARGET = (NEW(np.random.default_rng(seed)) for seed in (1, 2))


def embeddings(learner, x) -> np.ndarray:
    return np.asarray(jax.vmap(learner.encoder)(x))


USUAL = ("nt_xent", "simsiam", "byol", "supcon")
EVERY = [pytest.param(n, marks=[pytest.mark.slow] * (n not in USUAL)) for n in LOSSES]


@pytest.mark.parametrize("name", EVERY)
def test_every_loss_has_a_finite_value_that_depends_on_the_network(name: str) -> None:
    objective = Objective(name)
    here = objective(LEARNER, TARGET, batch())
    assert here.shape == ()
    assert np.isfinite(here)
    assert here != objective(TARGET, None, batch())


def test_two_views_are_the_embeddings_of_the_two_views() -> None:
    data = batch()
    u, v = (embeddings(LEARNER, x) for x in data[:2])
    for name, options in (("nt_xent", {"temperature": 0.5}), ("decoupled", {"temperature": 0.2})):
        found = Objective(name, tuple(options.items()))(LEARNER, TARGET, data)
        assert found == pytest.approx(float(LOSSES[name].value(u, v, **options)), rel=1e-5)


def test_predictions_are_of_the_target_network() -> None:
    data = batch()
    u, v = (embeddings(LEARNER, x) for x in data[:2])
    p_1, p_2 = (np.asarray(jax.vmap(LEARNER.predictor)(z)) for z in (u, v))
    t_1, t_2 = (embeddings(TARGET, x) for x in data[:2])
    byol = LOSSES["byol"].value
    assert Objective("byol")(LEARNER, TARGET, data) == pytest.approx(
        float(byol(p_1, p_2, t_1, t_2)), rel=1e-5
    )
    assert Objective("byol")(LEARNER, None, data) == pytest.approx(
        float(byol(p_1, p_2, u, v)), rel=1e-5
    )


def unit(z: np.ndarray) -> np.ndarray:
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def codes_by_hand(z: np.ndarray, prototypes: np.ndarray) -> np.ndarray:
    """Caron et al. 2020, section 3.1: three rounds with ε = 0.05."""
    q = np.exp(unit(z).astype(float) @ unit(prototypes).astype(float).T / 0.05)
    for _ in range(3):
        q /= q.sum(axis=0)
        q /= q.sum(axis=1, keepdims=True)
    return q


@pytest.mark.parametrize("with_target", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_every_argument_of_every_loss_is_of_the_view_and_the_network_it_should_be(
    name: str, with_target: bool
) -> None:
    data, target = batch(), TARGET if with_target else None
    u, v = (embeddings(LEARNER, x) for x in data[:2])
    p_1, p_2 = (np.asarray(jax.vmap(LEARNER.predictor)(z)) for z in (u, v))
    fixed = target or LEARNER
    t_1, t_2 = (embeddings(fixed, x) for x in data[:2])
    c, fixed_c = np.asarray(LEARNER.prototypes), np.asarray(fixed.prototypes)
    both, labels = np.concatenate([u, v]), np.tile(np.arange(6) % 3, 2)
    classified = {"z": both, "weights": c, "labels": labels}
    predicted = {"p_1": p_1, "p_2": p_2, "z_1": t_1, "z_2": t_2}
    expected = {
        "arcface": classified,
        "cosface": classified,
        "normface": classified,
        "supcon": {"z": both, "labels": labels},
        "uniformity": {"z": both},
        "byol": predicted,
        "simsiam": predicted,
        "dino": {"z": u, "target": t_2, "prototypes": c, "target_prototypes": fixed_c},
        "moco": {"queries": u[:3], "keys": t_2[:3], "queue": t_2[3:]},
        "swav": {"z": u, "prototypes": c, "codes": codes_by_hand(t_2, fixed_c)},
        "triplet": {"anchor": u, "positive": v, "negative": v[[5, 0, 1, 2, 3, 4]]},
    }.get(name, {"z_1": u, "z_2": v})
    found = _given(LOSSES[name], LEARNER, target, data)
    assert set(found) == set(expected)
    for argument, value in expected.items():
        np.testing.assert_allclose(
            found[argument], value, rtol=1e-4, atol=1e-6, err_msg=f"{name}: {argument}"
        )


def test_no_gradient_reaches_the_constants() -> None:
    data = batch()

    def norm(of) -> float:
        return sum(float(jnp.sum(a**2)) for a in jax.tree.leaves(of))

    for name in ("byol", "moco"):
        slope = jax.jit(jax.grad(Objective(name), argnums=(0, 1)))
        to_learner, to_target = slope(LEARNER, TARGET, data)
        assert norm(to_target) == 0
        assert norm(to_learner.encoder) > 0


def test_labels_reach_the_losses_that_ask_for_them_and_no_others() -> None:
    data = batch()
    other = data._replace(labels=jnp.sort(data.labels))
    for name in ("supcon", "normface"):
        assert Objective(name)(LEARNER, TARGET, data) != Objective(name)(LEARNER, TARGET, other)
    for name in ("nt_xent", "simsiam"):
        assert Objective(name)(LEARNER, TARGET, data) == Objective(name)(LEARNER, TARGET, other)


def test_gradscale_multiplies_the_gradient_of_an_embedding_by_its_norm() -> None:
    # The last bias adds to every embedding, so its gradient is the sum over embeddings.
    data = batch(n=1)
    attraction = Objective("attraction"), Objective("attraction", gradscale=2.0)
    plain, scaled = (
        jax.jit(jax.grad(o))(LEARNER, None, data).encoder.layers[-1].bias for o in attraction
    )
    u, v = (jnp.asarray(embeddings(LEARNER, x)) for x in data[:2])
    g_u, g_v = LOSSES["attraction"].gradient(u, v)
    np.testing.assert_allclose(plain, (g_u + g_v)[0], rtol=1e-4, atol=1e-6)
    expected = g_u * jnp.sum(u**2) + g_v * jnp.sum(v**2)
    np.testing.assert_allclose(scaled, expected[0], rtol=1e-4, atol=1e-6)


def test_codes_sum_to_one_and_use_all_prototypes_evenly() -> None:
    rng = np.random.default_rng(0)
    z, prototypes = (jnp.asarray(rng.standard_normal((n, 5)), jnp.float32) for n in (60, 3))
    found = np.asarray(codes(z, prototypes, sharpness=2.0, rounds=20))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=0), 20, rtol=1e-3)


def test_unknown_losses_and_missing_parts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"loss: expected one of alignment, .*, got 'simclr'"):
        Objective("simclr")
    bare = NewLearner(Mlp((6, 8, 4)))(np.random.default_rng(0))
    with pytest.raises(ValueError, match="needs a learner with prototypes"):
        Objective("swav")(bare, None, batch())
    for name in ("simsiam", "byol"):
        with pytest.raises(ValueError, match="needs a learner with a predictor"):
            Objective(name)(bare, None, batch())
