"""Over which norms the law holds."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt

from . import plain


def _guarded(epsilon: float) -> plain.Loss:
    def loss(z: np.ndarray) -> float:
        return -float(np.sum(z / (plain.norms(z) + epsilon) * plain.UNIT_KEYS))

    return loss


@pytest.mark.parametrize("name", ["attraction", "info_nce", "uniformity", "hinge"])
def test_a_true_loss_has_no_limits(name: str) -> None:
    assert nt.testing.valid_norm_range(plain.TRUE[name]) == (0.0, math.inf)


@pytest.mark.parametrize("floor", [1e-6, 1e-2, 10.0])
def test_a_clamp_is_the_lower_end(floor: float) -> None:
    def loss(z: np.ndarray) -> float:
        return -float(np.sum(z / np.maximum(plain.norms(z), floor) * plain.UNIT_KEYS))

    low, high = nt.testing.valid_norm_range(loss)
    assert low == pytest.approx(floor, rel=0.03)
    assert high == math.inf


def test_an_added_epsilon_moves_the_lower_end_in_proportion() -> None:
    ends = [nt.testing.valid_norm_range(_guarded(epsilon)) for epsilon in (1e-8, 1e-5, 1e-2)]
    # ρ∇L changes by ε/ρ times a factor of order one.
    for (low, high), epsilon in zip(ends, (1e-8, 1e-5, 1e-2), strict=True):
        assert 80 < low / epsilon < 300
        assert high == math.inf
    assert ends[1][0] / ends[0][0] == pytest.approx(1e3, rel=0.03)


def test_a_looser_law_holds_further_down() -> None:
    strict, _ = nt.testing.valid_norm_range(_guarded(1e-3), tolerance=0.01)
    loose, _ = nt.testing.valid_norm_range(_guarded(1e-3), tolerance=0.1)
    assert strict / loose == pytest.approx(10, rel=0.2)


def test_an_offset_limits_from_above() -> None:
    def loss(z: np.ndarray, size: float) -> float:
        return plain.attraction(z) + size * float(plain.norms(z).sum())

    highs = []
    for size in (1e-3, 1e-5):
        low, high = nt.testing.valid_norm_range(lambda z, size=size: loss(z, size))
        assert low == 0.0
        highs.append(high)
    assert highs[1] / highs[0] == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize("loss", [plain.centred, plain.dot_product, plain.decay_only])
def test_where_the_law_holds_nowhere_there_is_no_range(loss: plain.Loss) -> None:
    assert np.isnan(nt.testing.valid_norm_range(loss)).all()


def test_jax_in_both_precisions() -> None:
    def loss(z: Any) -> Any:
        return jnp.mean((z / jnp.linalg.norm(z, axis=1, keepdims=True))[:, 0])

    assert nt.testing.valid_norm_range(loss) == (0.0, math.inf)
    assert nt.testing.valid_norm_range(loss, dtype="float32") == (0.0, math.inf)


@pytest.mark.torch
def test_torchs_own_cosine_is_guarded_at_1e_8() -> None:
    torch = pytest.importorskip("torch")
    keys = torch.tensor(plain.KEYS)
    low, high = nt.testing.valid_norm_range(
        lambda z: torch.nn.functional.cosine_similarity(z, keys, eps=1e-8).mean()
    )
    assert low == pytest.approx(1e-8, rel=0.05)
    assert high == math.inf


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1e3), (1e-4, math.inf), (1e-2, 1e2), (5.0, 1e9)])
def test_where_a_loss_is_not_finite_the_law_does_not_hold(
    bad: float, low: float, high: float
) -> None:
    def loss(z: np.ndarray) -> float:
        norms = plain.norms(z)
        return plain.attraction(z) if low < norms.min() and norms.max() < high else bad

    if not low < 1 < high:  # on ordinary clouds, of norm 1, nothing can be said
        with pytest.raises(ValueError, match=f"returned {bad} on an ordinary cloud"):
            nt.testing.valid_norm_range(loss)
        return
    # To 1 %, and to what finite differences move a row by.
    assert nt.testing.valid_norm_range(loss) == pytest.approx((low, high), rel=0.012)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1e3), (1e-4, math.inf), (1e-2, 1e2)])
def test_where_a_gradient_is_nan_the_law_does_not_hold(low: float, high: float) -> None:
    def loss(z: Any) -> Any:
        norms = jnp.linalg.norm(z, axis=1)
        above, below = jnp.maximum(norms - low, 0.0), jnp.maximum(high - norms, 0.0)
        # √0 has the slope ∞, which is multiplied by 0; of a value that is there.
        undefined = (jnp.sqrt(above) if low > 0 else 0.0) + (
            jnp.sqrt(below) if high < math.inf else 0.0
        )
        return jnp.mean(z[:, 0] / norms) + 0.0 * jnp.sum(undefined)

    assert nt.testing.valid_norm_range(loss) == pytest.approx((low, high), rel=0.011)


def test_a_search_that_ends_early_says_no_more_than_it_saw() -> None:
    assert nt.testing.valid_norm_range(plain.clamped_norm, search=(0.1, 10.0)) == (0.0, math.inf)


def test_bad_options_are_named() -> None:
    with pytest.raises(ValueError, match=r"search: expected 0 < low < high < inf, got \(1, 0\)"):
        nt.testing.valid_norm_range(plain.attraction, search=(1, 0))
    with pytest.raises(ValueError, match="tolerance: expected a number between 0 and 1, got 2"):
        nt.testing.valid_norm_range(plain.attraction, tolerance=2)
