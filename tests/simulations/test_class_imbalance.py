"""Rare classes get small norms, in the paper's setting and others; labels alone do nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr

from simulations import class_imbalance
from simulations.class_imbalance import (
    PUBLISHED,
    VARIANTS,
    Settings,
    means_of,
    ordered,
    orders,
    spread,
)
from simulations.encoders.training import embed, start

from .smoke import smoke


def test_the_settings_are_the_papers() -> None:
    settings = Settings()
    assert (settings.points, settings.latent_dimension, settings.data_dimension) == (2000, 10, 64)
    assert (settings.hidden, settings.dimension, settings.noise) == (64, 10, 1.0)
    assert (settings.batch, settings.learning_rate, settings.temperature) == (128, 0.01, 1.0)
    assert (settings.epochs, settings.shown, settings.steps) == (100, 50, 50 * 16)
    # The rarest class has the smallest norm, in the order of the frequencies.
    assert class_imbalance._published(Settings(runs=3)) == [7.2, 7.4, 7.8, 8.1]
    # It is read off at the epochs shown, however long training goes on.
    assert class_imbalance._published(class_imbalance.QUICK) == [7.2, 7.4, 7.8, 8.1]
    assert np.isnan(class_imbalance._published(Settings(shown=25, records=5))).all()


@pytest.mark.slow
def test_other_settings_than_the_papers_have_no_published_norms() -> None:
    assert np.isnan(smoke("class_imbalance").published).all()


@pytest.mark.slow
def test_the_rare_class_ends_smaller_though_it_starts_alike() -> None:
    settings = dataclasses.replace(class_imbalance.SMOKE, runs=16)
    # Samples, runs, looks, classes by frequency: every class has had every frequency.
    norm = class_imbalance._train(settings, VARIANTS[0], 1).mean(axis=1)
    growth = norm[:, :, -1] - norm[:, :, 0]
    # False alarms: below 1e-12. Of one world 1.9 ± 0.9, of 16 eight standard errors (30 seeds).
    assert (growth[..., 1] - growth[..., 0]).mean(axis=1).min() > 0
    # What differs at first is the draw of some twenty points: 4 % ± 3 % in a world. False alarms:
    # below 1e-12.
    assert abs(norm[:, :, 0, 1] / norm[:, :, 0, 0] - 1).mean() < 0.15


@pytest.mark.slow
def test_the_published_variant_is_where_its_course_was_at_the_epochs_shown() -> None:
    result = smoke("class_imbalance")
    there = result.course.sel(epoch=result.attrs["shown"])
    xr.testing.assert_equal(result.norm.sel(variant=PUBLISHED, drop=True), there.drop_vars("epoch"))


def test_norms_are_those_of_the_classes_that_have_the_frequency() -> None:
    # Three classes: with two, an order of the frequencies is its own inverse.
    settings = dataclasses.replace(
        class_imbalance.SMOKE, frequencies=(1.0, 2.0, 4.0), epochs=1, shown=1, records=1
    )
    course = class_imbalance._train(settings, VARIANTS[0], 1)[:, :, :, 0]
    seeds = [(settings.seed, r) for r in range(settings.runs)]
    new = start(settings.recipe(), settings.learner, seeds, settings.learning_rate)
    for a, order in enumerate(orders(3)):
        drawn = settings.sample(VARIANTS[0], order)
        for s, points in enumerate(drawn):
            norm = np.linalg.norm(embed(new.learner, points.x, shared=False), axis=-1)
            for r, label in np.ndindex(settings.runs, 3):
                expected = norm[r][np.asarray(points.labels)[r] == label].mean()
                found = course[s, a, r, order[label]]  # frequencies ascend with their number
                assert float(found) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_points_and_weights_are_what_a_variant_says(variant: class_imbalance.Variant) -> None:
    # False alarms: 6e-8 (32 shares at six standard errors; eight worlds with one count: 1e-12).
    settings = dataclasses.replace(
        class_imbalance.SMOKE, points=2000, frequencies=(1.0, 3.0), runs=8
    )
    points, held_out = settings.sample(variant, (1, 0))  # the first class is the frequent one
    share = 0.5 if variant.equal else 0.75
    for sample in (points, held_out):
        labels = np.asarray(sample.labels)
        assert labels.shape == (8, 2000)
        counts = np.stack([np.bincount(one, minlength=2) for one in labels])
        np.testing.assert_array_equal(counts, sample.count)
        assert abs(counts[:, 0] / 2000 - share).max() < 6 * (share * (1 - share) / 2000) ** 0.5
        assert (counts != counts[0]).any()  # they are drawn
        assert (np.diff(labels) < 0).any() == variant.shuffled
    weight = np.asarray(points.weight)[0]
    assert weight[0] / weight[1] == (1 if variant.drawn == "equally" else 3)


def test_all_variants_have_the_same_worlds() -> None:
    settings = class_imbalance.SMOKE
    given = [settings.sample(v, order)[0].x for v in VARIANTS for order in orders(2)]
    # The first point of the first class is at its centre but for the same noise.
    for x in given[1:]:
        np.testing.assert_array_equal(x[:, 0], given[0][:, 0])


def test_every_class_gets_every_frequency_equally_often() -> None:
    for n in (2, 3, 4, 6):
        given = np.array(orders(n))
        assert len({tuple(o) for o in given.tolist()}) == len(given)
        for column in given.T:
            assert (np.bincount(column) == len(given) / n).all()


def test_ordered_is_by_frequency_and_strict_and_a_spread_has_its_sign() -> None:
    norm = xr.DataArray(
        [[3.0, 1.0, 2.0], [3.0, 2.0, 2.0], [1.0, 2.0, 3.5]],
        dims=("run", "frequency"),
        coords={"frequency": [4.0, 1.0, 2.0]},
    )
    assert ordered(norm).values.tolist() == [True, False, False]
    assert spread(norm).values.tolist() == [2.0, 1.0, -1.0]


def test_means_are_over_different_worlds_and_all_their_assignments() -> None:
    values = 2.0 ** np.arange(8).reshape(4, 2)  # world, assignment: sums tell who is in them
    norm = xr.DataArray(values[..., None], dims=("run", "assignment", "frequency"))
    norm = norm.assign_coords(frequency=[1.0])
    sums = {int(4 * x) for x in means_of(norm, 4, 500).values.ravel()}
    # False alarms: 2e-13 (one of the two of each world: all 16, each missed in 1e-14).
    assert sums == {sum(2 ** (2 * i + ((k >> i) & 1)) for i in range(4)) for k in range(16)}
    pairs = 2 * means_of(norm, 2, 500).values.ravel()
    assert all(bin(int(x)).count("1") == 2 for x in pairs)
    assert not any(int(x) in (3, 12, 48, 192) for x in pairs)  # both of one world
    assert not np.array_equal(means_of(norm, 2, 50, seed=1), means_of(norm, 2, 50))


def test_looks_must_divide_the_epochs_shown_and_these_all_epochs() -> None:
    with pytest.raises(ValueError, match="records: expected a divisor of the 20 epochs shown, got"):
        dataclasses.replace(class_imbalance.SMOKE, records=3)
    with pytest.raises(ValueError, match="epochs: expected a multiple of the 20 epochs shown, got"):
        dataclasses.replace(class_imbalance.SMOKE, epochs=30)
