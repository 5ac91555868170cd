"""Norm and distance to the neighbours, on points that the encoder saw and on others."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from simulations import density
from simulations.density import _less_class_mean
from simulations.encoders.training import embed, start

from .smoke import smoke


def test_the_settings_are_the_papers() -> None:
    settings = density.Settings()
    assert (settings.points, settings.noise, settings.imbalanced_noise) == (2000, 0.1, 1.0)
    assert (settings.classes, settings.frequencies) == (4, (1.0, 2.0, 4.0, 8.0))
    assert (settings.epochs, settings.learning_rate, settings.neighbour) == (100, 0.01, 10)


def test_within_classes_norm_falls_with_distance_on_held_out_points_too() -> None:
    trained = smoke("density").sel(stage="trained")
    # False alarms: below 1e-8. Means of two networks are −0.33 ± 0.07 for held-out points, of all
    # samples −0.30 ± 0.06 (30 seeds).
    assert float(trained.within_classes.sel(sample="held out").mean()) < 0
    assert float(trained.within_classes.mean()) < 0


def test_norms_and_distances_are_those_of_the_samples_named() -> None:
    """Before training, by hand: the worlds shown are the equal ones, held out for two samples."""
    settings, result = density.SMOKE, smoke("density").sel(stage="new")
    trained_on, held_out = settings.equal_world(settings.seed)
    seeds = [(settings.seed, r) for r in range(settings.runs)]
    recipe, sizes = settings.recipe(), (16, 16, 10)
    new = start(recipe, density.NewLearner(density.Mlp(sizes)), seeds, 0.05)
    for sample, points in (
        ("another world", held_out),
        ("trained on", trained_on),
        ("held out", held_out),
    ):
        z = np.asarray(embed(new.learner, points.x, shared=False))
        norm = np.linalg.norm(z, axis=-1)
        np.testing.assert_allclose(result.norm.sel(sample=sample), norm, rtol=1e-5)
        u = z / norm[..., None]
        for r in range(settings.runs):
            chord = np.linalg.norm(u[r][:, None] - u[r][None], axis=-1)
            tenth = np.sort(chord, axis=1)[:, 10]  # the 0th is the point itself
            found = result.distance.sel(sample=sample, run=r)
            np.testing.assert_allclose(found, tenth, atol=2e-3)  # a chord from a float32 cosine


def test_another_world_is_one_that_the_network_was_not_trained_on() -> None:
    trained = smoke("density").sel(stage="trained")
    held_out, other = (trained.norm.sel(sample=s) for s in ("held out", "another world"))
    # The same points, other networks. False alarms: below 1e-9 (log −1.08 ± 0.29, here −4.6).
    assert abs(held_out / other - 1).mean() > 0.01
    settings = dataclasses.replace(density.Settings(), runs=1)
    imbalanced, _ = settings.imbalanced_world(settings.seed + 1)
    counts = np.asarray(imbalanced.count)[0] / 2000
    # False alarms: below 1e-8 (six standard errors of a half, and more of all others).
    assert abs(counts - np.array([1, 2, 4, 8]) / 15).max() < 6 * 0.5 / 2000**0.5
    span = np.linalg.svd(np.asarray(imbalanced.x)[0])[2][:10]
    equal = np.asarray(settings.equal_world(settings.seed)[0].x)[0]
    # Another map: the points of one world leave the span of the other's.
    inside = np.linalg.norm(equal @ span.T, axis=1) / np.linalg.norm(equal, axis=1)
    assert inside.max() < 0.9


def test_correlations_are_spearmans_of_ranks() -> None:
    result = smoke("density")
    label = result.label.values
    for index in np.ndindex(2, 3, 3):
        stage, sample, run = index
        one = result.isel(stage=stage, sample=sample, run=run)
        ranks = [np.argsort(np.argsort(x.values)) for x in (one.norm, one.distance)]
        expected = float(np.asarray(np.corrcoef(np.stack(ranks)))[0, 1])
        assert float(one.overall) == pytest.approx(expected, abs=1e-3)
        less = []
        for rank in ranks:
            means = np.array([rank[label == k].mean() for k in range(4)])
            less.append(np.argsort(np.argsort(rank - means[label])))
        expected = float(np.asarray(np.corrcoef(np.stack(less)))[0, 1])
        assert float(one.within_classes) == pytest.approx(expected, abs=5e-3)


def test_ranks_within_classes_have_no_class_mean() -> None:
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1, 2], [5, 7, 9])
    left = _less_class_mean(rng.standard_normal(21) + 10 * label, label)
    for k in range(3):
        assert left[label == k].mean() == pytest.approx(0, abs=1e-12)
        assert left[label == k].std() > 1


def test_there_must_be_so_many_neighbours() -> None:
    with pytest.raises(ValueError, match="neighbour: expected less than the 120 points, got 120"):
        dataclasses.replace(density.SMOKE, neighbour=120)
