"""What a failure says: smallest counterexample, exponent, the same again from the same seed."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

import numpy as np
import pytest

import normtheory as nt

from . import plain


def _failure(check: Callable[..., None], loss: plain.Loss, **options: object) -> str:
    with pytest.raises(AssertionError) as caught:
        check(loss, **options)
    return str(caught.value)


def _exponents(report: str) -> tuple[float, float]:
    whole, single = re.findall(r"(-?\d+\.\d+) for (?:the whole|one row)", report)
    return float(whole), float(single)


def _clouds(report: str) -> list[np.ndarray]:
    found = re.findall(r"(?:z =|compared with) (\[\[.*\]\])", report)
    return [np.array(ast.literal_eval(text)) for text in found]


def test_the_exponent_of_a_dot_product_is_zero() -> None:
    def loss(z: np.ndarray) -> float:
        return float(np.sum(z * plain.KEYS[: len(z)]))

    report = _failure(nt.testing.assert_inverse_norm_gradient, loss)
    assert _exponents(report) == pytest.approx((0.0, 0.0), abs=0.002)


def test_the_exponent_of_a_squared_norm_is_one() -> None:
    report = _failure(nt.testing.assert_inverse_norm_gradient, lambda z: float(np.sum(z * z)))
    assert _exponents(report) == pytest.approx((1.0, 1.0), abs=0.002)


def test_centring_has_the_right_exponent_for_the_whole_cloud_only() -> None:
    whole, single = _exponents(_failure(nt.testing.assert_inverse_norm_gradient, plain.centred))
    assert whole == pytest.approx(-1, abs=0.002)
    assert single > -0.9


@pytest.mark.parametrize("name", ["barlow_twins", "whitened", "centred"])
def test_a_normalised_batch_is_said_to_hide_a_common_rescaling_only(name: str) -> None:
    report = _failure(
        nt.testing.assert_inverse_norm_gradient, plain.FALSE[name][0], norms=(1e-3, 1e-1)
    )
    assert "hides a common rescaling: the exponent is -1 when all norms move together, " in report
    assert "and tends to 0 for one row's own norm" in report
    # and so it is
    whole, single = _exponents(report)
    assert whole == pytest.approx(-1, abs=0.01)
    assert single > -0.9


def test_the_counterexample_is_one_and_is_small() -> None:
    def loss(z: np.ndarray) -> float:
        return float(np.sum(z[:, 0] / np.linalg.norm(z, axis=1)) + 1e-3 * np.sum(z * z))

    report = _failure(nt.testing.assert_inverse_norm_gradient, loss, n=8, dimension=5)
    cloud, base = _clouds(report)
    assert cloud.shape == base.shape == (1, 2)

    def scale_free(z: np.ndarray) -> np.ndarray:
        norm = np.linalg.norm(z)
        u = z / norm
        return np.array([1.0, 0.0]) - u[0, 0] * u + norm * 2e-3 * z

    assert plain.unit(cloud) == pytest.approx(plain.unit(base))
    assert np.abs(scale_free(cloud) - scale_free(base)).max() > 1e-5
    assert set(np.abs(base).ravel()) <= {0.0, 1.0}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("check", "number"),
    [
        # Of L = Σ_i e·z_i, whose gradient is e in every row: ρg = ρe, of size 1 at norm 1. Here e
        # is the first axis, and ρ, ρ₁ are a norm of the counterexample and of what it is compared
        # with, u its direction.
        (nt.testing.assert_inverse_norm_gradient, lambda r, r1, u: abs(r - r1) / max(1, r1)),
        (nt.testing.assert_orthogonal_gradient, lambda r, r1, u: r * abs(u)),
        # (ρ² - ρ'²)/2γ = ρu - γρ²/2 in the units of the step, the largest at the shortest step.
        (nt.testing.assert_norm_never_shrinks, lambda r, r1, u: r * u - 1e-3 * r * r / 2),
    ],
    ids=["inverse_norm", "orthogonal", "shrinks"],
)
@pytest.mark.parametrize("norms", [(1e-3, 1e3), (1e-2, 1e2)], ids=str)
def test_the_number_is_that_of_the_counterexample_that_is_shown(
    check: Callable[..., None],
    number: Callable[[float, float, float], float],
    norms: tuple[float, float],
    seed: int,
) -> None:
    report = _failure(check, lambda z: float(z[:, 0].sum()), seed=seed, norms=norms)
    cloud, *compared = _clouds(report)
    base = compared[0] if compared else cloud
    shown = [
        number(float(np.linalg.norm(z)), float(np.linalg.norm(z1)), float(z[0] / np.linalg.norm(z)))
        for z, z1 in zip(cloud, base, strict=True)
    ]
    printed = re.search(r"(?:by|is) ([0-9.e+-]+) \(tolerance 1e-05\)", report)
    assert printed is not None
    # It is printed with two digits.
    assert float(printed[1]) == pytest.approx(max(shown), rel=0.05)
    # Far from that of the first failure, at the lowest norm of all rows.
    first = 1 - norms[0] if compared else norms[0]
    assert not 0.96 < float(printed[1]) / first < 1.04


def test_two_rows_are_the_smallest_that_centring_can_spoil() -> None:
    # One row has no direction from the mean of itself.
    def loss(z: np.ndarray) -> float:
        return float(np.mean(plain.unit(z - z.mean(axis=0))[:, 0] ** 3))

    cloud, base = _clouds(_failure(nt.testing.assert_inverse_norm_gradient, loss))
    assert len(cloud) in (2, 3)
    assert (cloud != base).any(axis=1).sum() == 1


def test_a_loss_that_needs_its_rows_keeps_them() -> None:
    def loss(z: np.ndarray) -> float:
        if len(z) != 6:
            raise ValueError("six rows, please")
        return plain.offset(z)

    report = _failure(nt.testing.assert_scale_invariant, loss)
    assert [len(z) for z in _clouds(report)] == [6, 6]


def test_an_overflow_is_reported_with_its_norm() -> None:
    def loss(z: np.ndarray) -> float:
        return float(np.log(np.sum(np.exp(z @ plain.KEYS.T))))

    report = _failure(nt.testing.assert_scale_invariant, loss, norms=(1e-2, 1e4))
    assert "likely cause: the loss is inf at norm 10000: it overflows" in report


def test_the_same_seed_says_the_same() -> None:
    check = nt.testing.assert_inverse_norm_gradient
    told = _failure(check, plain.offset, seed=3)
    assert _failure(check, plain.offset, seed=3) == told
    assert "seed 3" in told


def test_numpys_global_random_state_is_left_alone() -> None:
    # The legacy generator is what is looked after here.
    before = repr(np.random.get_state())  # noqa: NPY002
    _failure(nt.testing.assert_inverse_norm_gradient, plain.offset)
    assert repr(np.random.get_state()) == before  # noqa: NPY002
