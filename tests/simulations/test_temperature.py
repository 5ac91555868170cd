"""The temperature that labels ask for is the claim's, and so is what they leave of the loss."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import figures
from figures import temperature as figure
from normtheory import symmetric
from simulations import temperature

from .smoke import smoke

SETTINGS = temperature.SMOKE
N = SETTINGS.pairs


def scale_times_margin(wrong):
    return np.log((N - 1) * (1 - wrong) / wrong)


def entropy(wrong):
    return -(1 - wrong) * np.log(1 - wrong) - wrong * np.log(wrong / (N - 1))


@pytest.fixture(scope="module")
def result():
    return smoke("temperature")


@pytest.mark.parametrize("margin", [5 / 4, 1.0, 0.2])
def test_pairs_have_the_margin_they_were_asked_for_and_the_best_alignment_for_it(margin):
    u, v = temperature.pairs_of_margin(5, margin, np.random.default_rng(0))
    cosines = u @ v.T
    np.testing.assert_allclose((u * u).sum(1), 1)
    np.testing.assert_allclose((v * v).sum(1), 1)
    wrong = cosines[~np.eye(5, dtype=bool)]
    np.testing.assert_allclose(np.diag(cosines).mean() - wrong, margin, atol=1e-14)
    least = symmetric.alignment_floor(float(np.diag(cosines).mean()), 5)
    np.testing.assert_allclose(wrong, float(least), atol=1e-14)


def test_the_loss_is_infonce_with_the_partners_that_are_told():
    rng = np.random.default_rng(3)
    u, v = rng.standard_normal((2, N, 5))
    u_hat, v_hat = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (u, v))
    logits = 3.0 * u_hat @ v_hat.T
    with jax.enable_x64(True):
        found = np.asarray(temperature._by_place(np.log(3.0), u, v))
    for k in range(N):
        told = logits[np.arange(N), (np.arange(N) + k) % N]
        assert found[k] == pytest.approx((np.log(np.exp(logits).sum(1)) - told).mean())


def test_its_derivative_is_by_the_logarithm_of_the_scale():
    u, v = np.random.default_rng(4).standard_normal((2, N, 5))
    step = 1e-5
    with jax.enable_x64(True):
        found, slope = (np.asarray(a) for a in temperature._places(np.log(3.0), u, v))
        there, here = (
            np.asarray(temperature._by_place(np.log(3.0) + s, u, v)) for s in (step, -step)
        )
        np.testing.assert_allclose(found, temperature._by_place(np.log(3.0), u, v), rtol=1e-12)
    # Central differences: an error of the order of step² and of rounding over step.
    np.testing.assert_allclose(slope, (there - here) / (2 * step), rtol=0, atol=1e-8)


def test_the_best_temperature_is_that_of_the_labels_that_were_drawn(result):
    rng = np.random.default_rng([SETTINGS.seed, 0])
    for margin in SETTINGS.margins:
        for wrong in SETTINGS.noise:
            share = [1 - wrong] + [wrong / (N - 1)] * (N - 1)
            drawn = rng.multinomial(SETTINGS.labels, share, SETTINGS.draws)
            seen = 1 - drawn[:, 0] / SETTINGS.labels
            one = result.sel(margin=margin, noise=wrong)
            # A minimum that L-BFGS finds to a slope of 1e-9.
            np.testing.assert_allclose(one.best, margin / scale_times_margin(seen), rtol=1e-6)
            # All wrong partners are alike for these pairs, as if they were drawn evenly.
            np.testing.assert_allclose(one.least, entropy(seen), rtol=1e-9)
            assert float(one.predicted) == pytest.approx(margin / scale_times_margin(wrong))
            assert float(one.floor) == pytest.approx(entropy(wrong))


def test_embeddings_from_a_random_start_come_down_to_the_floor(result):
    noise = result.noise.values
    np.testing.assert_allclose(result.trained_loss, entropy(noise), rtol=1e-9)
    np.testing.assert_allclose(result.reach, scale_times_margin(noise))
    least, largest = result.trained_reach.values.T
    # The loss is flat there: its excess of 1e-12 is a deviation of 1e-6 squared.
    np.testing.assert_allclose(least, result.reach, rtol=1e-4)
    np.testing.assert_allclose(largest, result.reach, rtol=1e-4)
    assert (least <= largest).all()


def test_curves_and_lines_are_the_closed_forms(result):
    margin, b = SETTINGS.margins[0], 1 / result.temperature.values
    for wrong in SETTINGS.noise:
        loss = np.log1p((N - 1) * np.exp(-b * margin)) + wrong * b * margin
        np.testing.assert_allclose(result.curve.sel(noise=wrong), loss)
    rate = result.rate.values
    assert (rate[0], rate[-1]) == pytest.approx((min(SETTINGS.noise), max(SETTINGS.noise)))
    for k, margin in enumerate(SETTINGS.margins):
        np.testing.assert_allclose(result.predicted_line[k], margin / scale_times_margin(rate))
    np.testing.assert_allclose(result.floor_line, entropy(rate))


def test_rows_are_means_over_draws_at_the_first_margin(result):
    rng = np.random.default_rng(1)
    for key in ("best", "least", "predicted", "floor", "trained_loss"):
        result[key] = (result[key].dims, rng.uniform(1, 2, result[key].shape))
    rows = {row.quantity: row for row in figure.rows(result)}
    assert len(rows) == 3 * len(SETTINGS.noise)
    for k, wrong in enumerate(SETTINGS.noise):
        for text, measured, predicted in (
            ("best temperature", result.best, result.predicted[0]),
            ("loss at it", result.least, result.floor),
        ):
            draws = measured.values[0, k]
            row = rows[f"{text}, ε = {wrong:g}"]
            assert row.simulated == pytest.approx(draws.mean())
            assert row.predicted == pytest.approx(float(predicted[k]))
            # Four means, together in 95 %: Student's t of 2 degrees of freedom at 1 − 0.05/8.
            assert row.within == pytest.approx(8.8602 * draws.std(ddof=1) / 3**0.5, rel=1e-4)
        row = rows[f"loss of trained embeddings, ε = {wrong:g}"]
        assert row.simulated == pytest.approx(float(result.trained_loss[k]))
        assert row.within == pytest.approx(1e-6 * float(result.floor[k]))


def test_the_picture_shows_minima_means_and_lines(result):
    curves: Any
    best: Any
    floor: Any
    curves, best, floor = figures.draw(figure, result).axes
    for k in range(len(SETTINGS.noise)):
        np.testing.assert_allclose(curves.lines[2 * k].get_ydata(), result.curve[k])
        (x,), (y,) = curves.lines[2 * k + 1].get_data()
        assert (x, y) == (float(result.predicted[0, k]), float(result.floor[k]))
    for k, (axes, name) in enumerate(((best, "best"), (floor, "least"))):
        means = [float(bar.lines[0].get_ydata()[0]) for bar in axes.containers]
        assert means == pytest.approx(result[name].mean("draw").values.ravel().tolist()), k
    lines = [line for line in best.lines if len(line.get_xdata()) == len(result.rate)]
    for line, predicted in zip(lines, result.predicted_line.values, strict=True):
        np.testing.assert_allclose(line.get_ydata(), predicted)
    trained = next(line for line in floor.lines if line.get_marker() == "+")
    np.testing.assert_allclose(trained.get_ydata(), result.trained_loss)


def test_margins_and_rates_there_are_not_are_refused():
    with pytest.raises(ValueError, match=r"margins: expected at most n/\(n-1\) = 1.032"):
        temperature.Settings(margins=(1.1,))
    with pytest.raises(ValueError, match=r"noise: expected rates below \(n-1\)/n = 0.9688"):
        temperature.Settings(noise=(0.97,))
    with pytest.raises(ValueError, match="pairs: expected at least 3, got 2"):
        temperature.Settings(pairs=2)
