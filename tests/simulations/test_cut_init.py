"""A cut is a larger rate: exactly without biases, and only nearly with them."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from normtheory.losses import LOSSES
from simulations import cut_init
from simulations.cut_init import best
from simulations.encoders.data import SameClassPairs
from simulations.encoders.models import Mlp
from simulations.encoders.objectives import NewLearner

from .smoke import smoke


@pytest.mark.slow
def test_without_biases_cut_and_control_train_to_the_same_directions() -> None:
    result = smoke("cut_init").sel(kind="no biases")
    # float32, 20 steps: the rounding of cos is 1e-7, and steps let it grow a little.
    np.testing.assert_allclose(result.agreement, 1, atol=1e-4)
    # With decay too, because the control's is divided by c².
    np.testing.assert_allclose(result.accuracy, result.control_accuracy, atol=0.05)


@pytest.mark.slow
def test_with_biases_or_normalisation_they_differ() -> None:
    # False alarms: below 1e-10. The logarithm of what lacks in 1 is −2 ± 0.7 (30 seeds), here −6.9.
    cut = smoke("cut_init").sel(cut=3.0).agreement
    for kind in ("biases", "normalised"):
        assert (cut.sel(kind=kind) < 0.999).all()


@pytest.mark.slow
def test_uncut_runs_are_their_own_control() -> None:
    result = smoke("cut_init").sel(cut=1.0)
    np.testing.assert_array_equal(result.accuracy, result.control_accuracy)
    np.testing.assert_allclose(result.agreement, 1, atol=1e-5)


@pytest.mark.slow
def test_without_biases_accuracy_depends_on_c_times_the_root_of_the_rate() -> None:
    result = smoke("cut_init").sel(kind="no biases")
    low, high = result.rate.values
    assert high / low == pytest.approx(9)
    np.testing.assert_allclose(
        result.tuned.sel(cut=3.0, rate=low), result.tuned.sel(cut=1.0, rate=high), atol=0.05
    )


@pytest.mark.slow
def test_decay_changes_the_result() -> None:
    loss = smoke("cut_init").loss.sel(cut=3.0).isel(until=-1)
    assert (loss.isel(decay=0) != loss.isel(decay=1)).all()


def test_the_best_rate_is_chosen_on_other_points_than_it_is_judged_on() -> None:
    coords = {"kind": ["a"], "cut": [1.0, 3.0], "rate": [0.1, 1.0, 10.0], "run": [0]}
    dims = ("kind", "cut", "rate", "run")
    result = xr.Dataset(
        {
            "chosen_on": (dims, [[[[0.9], [0.5], [0.1]], [[0.4], [0.6], [0.2]]]]),
            "tuned": (dims, [[[[0.2], [0.8], [0.9]], [[0.1], [0.3], [0.7]]]]),
        },
        coords=coords,
    )
    found = best(result)
    assert found.best_rate.values.tolist() == [[0.1, 1.0]]
    assert found.accuracy.values.tolist() == [[[0.2], [0.3]]]
    assert found.inside.values.tolist() == [[False, True]]


def test_the_first_cut_is_none() -> None:
    with pytest.raises(ValueError, match="cuts: expected the first to be 1, got 3"):
        dataclasses.replace(cut_init.SMOKE, cuts=(3.0, 9.0))


def test_rates_and_decays_are_those_of_the_settings_and_of_controls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shape = (2, 2, cut_init.SMOKE.runs)
    untrained = {
        "step": np.arange(2),
        **dict.fromkeys(("accuracy", "control_accuracy"), np.zeros((*shape, 2))),
        "loss": np.zeros((*shape, 1)),
        **dict.fromkeys(("agreement", "chosen_on", "tuned"), np.zeros(shape)),
    }
    monkeypatch.setattr(cut_init, "_draws", lambda *_: None)
    monkeypatch.setattr(cut_init, "_one_kind", lambda *_: untrained)
    np.testing.assert_allclose(cut_init.run(cut_init.SMOKE).rate, [1e-3, 9e-3], rtol=1e-15)
    plan, parts = cut_init._plan(cut_init.SMOKE)
    swept = plan.rate[parts["sweep"]].reshape(2, 2)
    np.testing.assert_allclose(swept, [[1e-3, 9e-3]] * 2, rtol=1e-15)
    # A control has c² times the rate and, of either decay, its share of 1/c².
    (_, cut), decay = cut_init.SMOKE.cuts, cut_init.SMOKE.weight_decay
    controls = parts["control"].reshape(2, 2)
    np.testing.assert_allclose(plan.rate[controls], [[1e-3, 1e-3 * cut**2]] * 2, rtol=1e-15)
    np.testing.assert_allclose(plan.decay[controls], [[0, 0], [decay, decay / cut**2]], rtol=1e-15)
    np.testing.assert_array_equal(plan.cut[controls], 1)


def test_rates_are_chosen_on_even_and_judged_on_odd_points_and_losses_are_of_the_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = dataclasses.replace(cut_init.SMOKE, steps=1, records=1)
    data = settings.worlds((1.0,) * settings.classes)(settings.seed, settings.runs)
    points = data[0]

    def right(_: object, z: np.ndarray, *__: object) -> np.ndarray:
        return np.broadcast_to(np.arange(50) % 2 == 1, (len(z), settings.runs, 50))

    monkeypatch.setattr(cut_init, "_right", right)
    found = cut_init._one_kind(settings, "biases", data, cut_init._draws(settings, points))
    np.testing.assert_array_equal(found["chosen_on"], 0)
    np.testing.assert_array_equal(found["tuned"], 1)
    # The loss of the only step is that of the networks before it.
    sizes = (settings.data_dimension, settings.hidden, settings.hidden, settings.dimension)
    sampler = SameClassPairs(settings.batch // 2)
    draw = jax.jit(lambda key, data: sampler.batch(sampler.draw(key, 0, data), data))
    for r in range(settings.runs):
        seed = (settings.seed, r)
        learner = NewLearner(Mlp(sizes))(np.random.default_rng(seed))
        one = jax.tree.map(lambda a, r=r: a[r], points)
        key = jax.random.wrap_key_data(jnp.asarray(seed, jnp.uint32), impl="threefry2x32")
        views = [np.asarray(view, float) for view in draw(key, one)[:2]]
        for k, c in enumerate(settings.cuts):
            layers = [
                (np.asarray(a.weight, float) / c, np.asarray(a.bias, float) / c)
                for a in learner.encoder.layers
            ]
            clouds = []
            for z in views:
                for i, (weight, bias) in enumerate(layers):
                    z = z @ weight.T + bias
                    z = z if i == 2 else np.maximum(z, 0)
                clouds.append(z)
            expected = float(LOSSES["nt_xent"].value(*clouds, temperature=0.5))
            np.testing.assert_allclose(found["loss"][:, k, r], expected, rtol=1e-4)
