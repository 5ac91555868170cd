"""What the benchmark of released losses says of losses whose faults are known."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from tests.benchmarks import released_losses
from tests.benchmarks._released import RELEASED, Released
from tests.benchmarks.released_losses import failures, gradient_of, in_words, norm_range, state

RNG = np.random.default_rng(1)
VIEWS = tuple(RNG.standard_normal((2, 4, 3)).astype(np.float32))


def _loss(call, **options) -> Released:
    return Released("planted", "planted", call, "jax", **options)


def _guarded(z, partner, temperature):
    """A clamp at norm 1e-3."""
    u, v = (x / jnp.maximum(jnp.linalg.norm(x, axis=1, keepdims=True), 1e-3) for x in (z, partner))
    return -(u * v).sum() / 16


def _unshifted(z, partner, temperature):
    """InfoNCE whose exponentials are taken as they are: they overflow."""
    u, v = (x / jnp.linalg.norm(x, axis=1, keepdims=True) for x in (z, partner))
    similarity = jnp.exp(jnp.matmul(u, v.T, precision="highest") / temperature)
    return -jnp.log(jnp.diagonal(similarity) / similarity.sum(axis=1)).mean()


def _freezes(z, partner, temperature):
    """A gradient that stops at a temperature, in float32 only."""
    value = nt.losses.info_nce(z, partner, temperature=temperature)
    stops = (z.dtype == jnp.float32) & (temperature < 0.05)
    return jnp.where(stops, 0 * value, value)


@pytest.mark.slow
def test_range_of_a_clamped_and_of_a_dot_product() -> None:
    assert norm_range(_loss(_guarded), None) == "≥ 1.0e−03"
    assert norm_range(_loss(lambda z, p, t: (z * p).sum() / 16), None) == "nowhere"
    ours = next(r for r in RELEASED if r.name == "nt_xent")
    assert norm_range(ours, 0.01) == "everywhere"


def test_a_loss_that_feels_its_partners_norm_obeys_nowhere() -> None:
    def one_sided(z, partner, temperature):
        return -(z / jnp.linalg.norm(z, axis=1, keepdims=True) * partner).sum()

    assert norm_range(_loss(one_sided), None) == "nowhere"


def test_a_loss_without_a_gradient_is_a_finding() -> None:
    assert norm_range(_loss(lambda z, p, t: 0 * z.sum()), None) == "zero gradient"
    assert norm_range(_loss(lambda z, p, t: jnp.log(-(z**2).sum())), None) == "NaN"
    assert norm_range(_loss(lambda z, p, t: jnp.exp(1e3 * (z**2).sum())), None) == "infinite"


def test_a_fault_of_the_call_is_no_finding() -> None:
    with pytest.raises(ValueError, match="expected to get a scalar"):
        norm_range(_loss(lambda z, p, t: z.sum(axis=1)), None)


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((np.nan, np.nan), "nowhere"),
        ((0.0, np.inf), "everywhere"),
        ((1e-8, np.inf), "≥ 1.0e−08"),
        ((0.0, 2.0), "≤ 2.0e+00"),
        ((1e-3, 10.0), "1.0e−03 to 1.0e+01"),
    ],
)
def test_ranges_in_words(ends: tuple[float, float], text: str) -> None:
    assert in_words(*ends) == text


def test_a_package_is_named_once() -> None:
    rows = [["a", "1"], ["a", "2"], ["b", "3"], ["a", "4"]]
    found = released_losses.grouped(rows)
    assert found == [["a", "1"], ["", "2"], ["b", "3"], ["a", "4"]]


def test_states_of_a_gradient() -> None:
    exact = np.array([[1.0, 0.0], [1e-3, 0.0]])
    assert state(exact * 1.009, exact) == "right"
    assert state(exact * 1.011, exact) == "off"
    assert state(np.zeros((2, 2)), exact) == "zero"
    assert state(np.array([[1.0, np.nan], [0.0, 0.0]]), exact) == "NaN"
    assert state(np.zeros((2, 2)), 1e-31 * exact) == "right"  # float32 can't hold it


def test_an_overflow_is_found_where_it_is() -> None:
    views = released_losses.batches()["solved, orthogonal pairs"]
    found = failures(gradient_of(_loss(_unshifted), *views))
    nan = float(found.split("NaN from ")[1])
    # exp overflows beyond 128 ln 2; the similarity of a pair is within 1 % of 1.
    assert nan == pytest.approx(1 / (128 * np.log(2)), rel=0.02)


def test_a_gradient_that_stops_is_found_where_it_does() -> None:
    assert failures(gradient_of(_loss(_freezes), *VIEWS)) in ("zero from 0.05", "zero from 0.0499")


@pytest.mark.slow
def test_ours_is_right_on_every_batch() -> None:
    ours = next(r for r in RELEASED if r.name == "info_nce")
    for views in released_losses.batches().values():
        assert failures(gradient_of(ours, *views)) == "right"


def test_a_package_that_is_missing_is_left_out(monkeypatch, capsys) -> None:
    stranger = Released("no-such-package", "loss", _guarded, "jax")
    known = Released("normtheory", "guarded", _guarded, "jax", tempered=False)
    monkeypatch.setattr(released_losses, "RELEASED", (stranger, known))
    released_losses.main()
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.endswith("not installed: no-such-package")
    assert "| normtheory | `guarded` | ≥ 1.0e−03 |" in rest
    assert not any("no-such-package" in line for line in rest)


@pytest.mark.torch
def test_a_torch_loss_is_measured_too() -> None:
    pytest.importorskip("torch")
    torch_cosine = next(
        r for r in RELEASED if (r.package, r.name) == ("torch", "cosine_similarity")
    )
    assert norm_range(torch_cosine, None) == "≥ 1.0e−08"
    by_hand = next(r for r in RELEASED if r.name == "cross_entropy of normalize")
    found = gradient_of(by_hand, *VIEWS)(0.1, np.float64)
    ours = next(r for r in RELEASED if r.name == "info_nce")
    np.testing.assert_allclose(found, gradient_of(ours, *VIEWS)(0.1, np.float64), rtol=1e-9)
