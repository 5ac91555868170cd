"""Both bucket rules on a line that can be counted by hand, and the controls."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.encoders.buckets import buckets
from simulations.encoders.controls import contrast, pixels, too_short
from simulations.encoders.data import Images
from simulations.encoders.judged import Judged, Votes, of_run, relations
from simulations.encoders.relations import Column, Estimate, overall, within


def test_buckets_are_equally_wide_between_the_ends_of_every_run() -> None:
    norm = np.array([[1.0, 1.9, 2.0, 3.1, 5.0], [10.0, 20.0, 30.0, 40.0, 50.0]])
    right = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 1, 1]], bool)
    found = buckets(norm, right, 4)
    assert found.count.tolist() == [[2, 1, 1, 1], [1, 1, 1, 2]]
    assert found.right.tolist() == [[1, 1, 1, 0], [0, 0, 1, 2]]


def test_a_collapsed_network_has_all_images_in_one_bucket() -> None:
    norm = np.array([[1e-5, 1e-5, 1e-5], [1.0, 2.0, 4.0]])
    found = buckets(norm, np.array([[1, 0, 1]] * 2, bool), 3)
    assert found.count.tolist() == [[3, 0, 0], [1, 1, 1]]
    assert found.right.tolist() == [[2, 0, 0], [1, 0, 1]]


ANGLE = np.radians([0, 10, 20, 30, 34, 90, 12, 33])
LABELS = np.array([0, 1, 0, 1, 0, 1, 0, 1])
Z = (np.arange(1, 9)[:, None] * np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1))[None]
VOTES = Votes(LABELS, np.arange(6)[None], np.array([[6, 7]]), 1)


def test_images_held_out_have_no_vote_of_their_own() -> None:
    judged = VOTES.judge(Z)
    assert judged.norm == pytest.approx(np.array([[7, 8]]))
    assert judged.right.tolist() == [[False, False]]  # next to 10°, a 1; next to 34°, a 0
    assert VOTES._replace(neighbours=3).held_out(Z).tolist() == [[True, False]]


def test_by_the_authors_rule_an_image_trained_on_votes_for_itself() -> None:
    judged = VOTES.by_authors(Z)
    assert judged.norm == pytest.approx(np.arange(1.0, 7)[None])
    assert judged.right.all()  # of one vote it is its own
    # Of three: itself and the two next to it. 90° would be outvoted by 34° and 20° without itself.
    three = VOTES._replace(neighbours=3).by_authors(Z).right
    assert three.tolist() == [[True, False, False, False, True, True]]


def test_contrast_is_the_spread_of_brightness() -> None:
    grey = np.zeros((2, 4, 4, 1), np.uint8)
    grey[0, :2] = 255
    assert contrast(grey).tolist() == [0.5, 0]
    colour = np.zeros((1, 4, 4, 3), np.uint8)
    colour[0, :2, :, 1] = 255
    assert contrast(colour) == pytest.approx([0.587 / 2])


def test_pixels_are_those_less_the_mean_image_trained_on() -> None:
    images = np.arange(4 * 2 * 2, dtype=np.uint8).reshape(4, 2, 2, 1)
    found = pixels(images, np.array([0, 1]))
    assert found.shape == (4, 4)
    np.testing.assert_array_equal(found[3], images[3].ravel() - np.array([2.0, 3, 4, 5]))


def test_too_short_is_said_below_five_points_or_where_the_gain_may_be_none() -> None:
    assert too_short("A", 0.6, 0.5, Estimate(0.1, 0.02, 0.18)) == ""
    assert too_short("A", 0.6, 0.5, Estimate(0.1, np.nan, np.nan)) == ""
    said = too_short("SimCLR", 0.53, 0.5, Estimate(0.03, 0.01, 0.05))
    assert said == (
        "SimCLR: training was too short, or these views unfit, to mean anything: neighbours are "
        "right for 0.53 of the images held out, and for 0.50 with untrained networks (95 % of the "
        "gain from +0.01 to +0.05)"
    )
    assert too_short("A", 0.6, 0.5, Estimate(0.1, -0.01, 0.21))
    assert too_short("A", 0.53, 0.5, Estimate(0.03, np.nan, np.nan)).endswith("untrained networks")


def test_relations_are_of_images_held_out_and_of_those_with_a_score() -> None:
    rng = np.random.default_rng(0)
    n, runs = 300, 2
    images = Images(
        rng.integers(0, 256, (n, 16, 16, 3), dtype=np.uint8), np.arange(n) % 3, ("a", "b", "c")
    )
    out = np.stack([rng.permutation(n)[:240] for _ in range(runs)])
    before, after = (
        Judged(rng.uniform(1, 2, out.shape), rng.uniform(size=out.shape) < 0.5) for _ in range(2)
    )
    scores = rng.standard_normal(n)
    scores[rng.permutation(n)[:40]] = np.nan
    found = relations(images, out, before, after, scores)
    sharp = contrast(images.images)[out]
    pairs = {
        "norm, right": (after.norm, after.right),
        "untrained norm, right": (before.norm, before.right),
        "contrast, right": (sharp, after.right),
        "norm, contrast": (after.norm, sharp),
        "norm, score": (after.norm, scores[out]),
        "untrained norm, score": (before.norm, scores[out]),
        "contrast, score": (sharp, scores[out]),
    }
    assert found["relation"] == list(pairs)
    for got, count, (x, y) in zip(
        found["correlation"], found["classes"], pairs.values(), strict=True
    ):
        known = [np.isfinite(b) for b in y]
        columns = [Column(x[r][k], y[r][k], images.labels[out[r]][k]) for r, k in enumerate(known)]
        inside, many = within(columns)
        assert count == many == 3
        np.testing.assert_allclose(got, [overall(columns), inside])
    assert relations(images, out, before, after, None)["relation"] == list(pairs)[:4]


def test_a_run_with_nine_wrong_answers_has_no_correlation() -> None:
    norm, rng = np.random.default_rng(0).uniform(size=100), np.random.default_rng(0)
    assert np.isnan(of_run(norm, np.arange(100) >= 9, rng)).all()
    assert np.isfinite(of_run(norm, np.arange(100) >= 10, rng)).all()
