"""The best temperature against minimisers, entropies and roots found numerically."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, softmax
from scipy.stats import entropy

import normtheory as nt
from normtheory import temperature


@pytest.mark.parametrize(("n", "wrong", "margin"), [(2, 0.1, 0.5), (8, 0.3, 1.1), (100, 0.01, 0.2)])
def test_the_best_scale_is_where_the_expected_loss_is_least(
    n: int, wrong: float, margin: float
) -> None:
    def loss(b: float) -> float:
        logits = np.array([b * margin, *np.zeros(n - 1)])
        total = np.log(np.exp(logits).sum())
        labels = np.array([1 - wrong, *np.full(n - 1, wrong / (n - 1))])
        return float((labels * (total - logits)).sum())

    least: Any = minimize_scalar(loss, bounds=(0, 200), method="bounded", options={"xatol": 1e-9})
    found = float(temperature.best_scale(margin, wrong, n))
    assert found == pytest.approx(least.x, rel=1e-5)
    assert float(temperature.wrong_partner_margin(wrong, n)) == pytest.approx(found * margin)
    assert float(temperature.noisy_loss_floor(wrong, n)) == pytest.approx(loss(found), rel=1e-12)


@pytest.mark.parametrize(("n", "wrong"), [(2, 0.2), (10, 0.5), (1000, 0.003)])
def test_what_is_left_is_the_entropy_of_the_labels(n: int, wrong: float) -> None:
    labels = [1 - wrong, *[wrong / (n - 1)] * (n - 1)]
    assert float(temperature.noisy_loss_floor(wrong, n)) == pytest.approx(entropy(labels))


@pytest.mark.parametrize(("n", "b", "cosine"), [(2, 1.0, 0.5), (64, 10.0, -0.1), (4096, 3.0, 0.0)])
def test_siglip_expects_as_many_pairs_as_there_are(n: int, b: float, cosine: float) -> None:
    best = brentq(lambda x: n * n * expit(b * cosine + x) - n, -50, 50, xtol=1e-13)
    assert float(temperature.siglip_bias(b, cosine, n)) == pytest.approx(best, rel=1e-10)


def test_rates_broadcast_and_keep_their_kind() -> None:
    found = temperature.best_scale(np.array([[0.5], [1.0]]), np.array([0.1, 0.2]), 4)
    assert found.shape == (2, 2)
    np.testing.assert_allclose(found[0], 2 * found[1], rtol=1e-15)
    assert temperature.siglip_bias(np.ones(1, "f4"), np.zeros(1, "f4"), 3).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: temperature.best_scale(0.5, 0.75, 4), "expected a rate below .n-1./n = 0.75"),
        (lambda: temperature.best_scale(0.5, 0.0, 4), "wrong: expected"),
        (lambda: temperature.best_scale(0.0, 0.1, 4), "margin: expected"),
        (lambda: temperature.noisy_loss_floor(0.1, 1), "n: expected an integer"),
        (lambda: temperature.siglip_bias(-1.0, 0.1, 4), "steepness: expected"),
        (lambda: temperature.siglip_bias(1.0, 1.1, 4), "cosine: expected"),
    ],
)
def test_what_is_out_of_range_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_info_nce_limit_and_bound_are_those_of_the_loss() -> None:
    rng = np.random.default_rng(5)
    u, v = rng.normal(size=(2, 6, 4))
    tau = 1e7
    own, keys = nt.losses.info_nce_gradient(u, v, temperature=tau)
    np.testing.assert_allclose(temperature.info_nce_limit(u, v), tau * own, atol=1e-7)
    np.testing.assert_allclose(temperature.info_nce_limit(v, u), tau * keys, atol=1e-7)
    own, _ = nt.losses.info_nce_gradient(u, v, temperature=0.3)
    cosines = nt.cosine_similarity(u[:, None], v[None])
    p = np.diagonal(softmax(cosines / 0.3, axis=1))
    bound = temperature.info_nce_bound(p, np.linalg.norm(u, axis=1), 6, 0.3)
    size = np.linalg.norm(own, axis=1)
    assert (size < bound).all()
    # Where no embedding is opposed to its keys it is reached to a factor. False alarms: below 1e-9
    # (one of six rows is that far below in less than 1 % of draws).
    assert (size > bound / 20).any()
    with pytest.raises(ValueError, match="points and partners of one shape"):
        temperature.info_nce_limit(u, v[:1])
    with pytest.raises(ValueError, match="probability: expected"):
        temperature.info_nce_bound(1.1, 1.0, 2, 0.1)
