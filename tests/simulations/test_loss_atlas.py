"""Exponents of every loss of the library, and what sets the negative controls apart."""

from __future__ import annotations

import dataclasses
import re
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from normtheory.losses import DISOBEDIENT, LOSSES, Loss, gradient_norms
from simulations import loss_atlas

from .smoke import smoke


def test_every_loss_is_in_the_atlas() -> None:
    result = smoke("loss_atlas")
    assert result.loss.values.tolist() == [*LOSSES, *DISOBEDIENT]
    assert result.of_directions.values.tolist() == [1] * len(LOSSES) + [0] * len(DISOBEDIENT)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_directions_obey_over_sixteen_decades(name: str) -> None:
    one = smoke("loss_atlas").sel(loss=name)
    assert int(one.obeys) == 1
    # Rounding of a hundred norms far apart: nothing else is in it.
    np.testing.assert_allclose(one.gradient * one.norm, 1, rtol=1e-10)
    np.testing.assert_allclose(one.slope, -1, atol=1e-10)


@pytest.mark.parametrize("name", DISOBEDIENT)
def test_the_others_do_not_and_have_the_slopes_they_are_listed_with(name: str) -> None:
    one = smoke("loss_atlas").sel(loss=name)
    assert int(one.obeys) == 0
    np.testing.assert_allclose(one.predicted, [DISOBEDIENT[name].exponent, 0])
    np.testing.assert_allclose(one.slope, one.predicted, atol=0.02)


def test_normalising_over_the_batch_passes_the_common_view_alone() -> None:
    for name in ("barlow_twins", "w_mse"):
        one = smoke("loss_atlas").sel(loss=name)
        np.testing.assert_allclose(one.gradient.sel(view="common") * one.norm, 1, rtol=1e-6)
        assert abs(float(one.slope.sel(view="own"))) < 0.02


def test_the_guarded_cosine_crosses_over_at_its_epsilon() -> None:
    one = smoke("loss_atlas").sel(loss="guarded_attraction", view="common")
    above, below = one.sel(norm=slice(2e-8, None)), one.sel(norm=slice(None, 0.5e-8))
    np.testing.assert_allclose(above.gradient * above.norm, 1, rtol=1e-9)
    assert below.norm.size >= 3
    rising = below.gradient / below.norm
    np.testing.assert_allclose(rising, float(rising[0]), rtol=1e-9)


def test_lengths_are_those_of_automatic_differentiation() -> None:
    settings = loss_atlas.SMOKE
    norms = np.array([1e-3, 1.0, 30.0])
    found = loss_atlas._measure("vicreg", norms, settings)[0]
    record = DISOBEDIENT["vicreg"]
    rng = np.random.default_rng(settings.seed)
    clouds = record.example(rng, settings.points, settings.dimension)
    expected = gradient_norms(record.value, clouds, norms)
    np.testing.assert_allclose(found, expected / expected[1], rtol=1e-12)


def test_a_closed_form_with_a_wrong_power_of_the_norm_does_not_obey(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Wrong(Loss):
        def gradient(self, *clouds, **options):
            (g, *_) = super().gradient(*clouds, **options)
            # A hundredth of the right norm too much, in the exponent.
            return (g * jnp.linalg.norm(clouds[0], axis=1, keepdims=True) ** 0.02,)

    true = LOSSES["attraction"]
    fields: dict[str, Any] = {
        field.name: getattr(true, field.name) for field in dataclasses.fields(true)
    }
    planted = Wrong(**{**fields, "name": "planted"})
    monkeypatch.setattr(loss_atlas, "LOSSES", MappingProxyType({"planted": planted}))
    monkeypatch.setattr(loss_atlas, "DISOBEDIENT", MappingProxyType({}))
    one = loss_atlas.run(loss_atlas.SMOKE).sel(loss="planted")
    np.testing.assert_allclose(one.slope, -0.98, atol=1e-6)
    assert int(one.obeys) == 0


@pytest.mark.parametrize(
    ("exponent", "obeys"),
    [(-1.0, True), (-1.009, True), (-0.991, True), (-1.02, False), (-0.98, False), (-3.0, False)],
)
def test_a_slope_off_by_a_hundredth_on_either_side_does_not_obey(
    exponent: float, obeys: bool
) -> None:
    norms = np.geomspace(1e-3, 1e3, 13)
    good, asked = norms**-1.0, norms**exponent
    found = loss_atlas._obeys(
        norms, np.array([[good, good], [asked, asked], [good, asked], [asked, good]])
    )
    assert found.tolist() == [True, obeys, obeys, obeys]
    local = good.copy()
    local[6:] *= 10 ** (0.5 * (exponent + 1))  # one of the twelve slopes
    assert loss_atlas._obeys(norms, np.array([[local, good]])).tolist() == [obeys]


def test_norms_are_evenly_spaced_round_one() -> None:
    norms = loss_atlas.grid(loss_atlas.Settings(lowest=1e-3, highest=50.0, per_decade=4))
    assert 1.0 in norms
    np.testing.assert_allclose(norms[1:] / norms[:-1], 10**0.25)
    assert norms[0] == pytest.approx(1e-3)
    assert 25 < norms[-1] <= 50


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lowest": 2.0}, "lowest, highest: expected lowest < 1 < highest, got 2.0, 10000.0"),
        ({"points": 4}, "points: expected more than dimension = 4, got 4"),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        dataclasses.replace(loss_atlas.SMOKE, **change)
