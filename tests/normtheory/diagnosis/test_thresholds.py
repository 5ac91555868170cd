"""Every warning begins where it is said to: numbers just on both sides of its threshold."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import normtheory as nt
from normtheory.diagnosis._alarms import alarms
from tests.normtheory.diagnosis.data import embeddings

RATE = {"learning_rate": 2.0, "batch_size": 100, "reduction": "mean"}  # γ = 0.02


@pytest.fixture(scope="module")
def quiet() -> nt.Diagnosis:
    """A report without a warning, whatever came of its numbers before."""
    report = nt.diagnose(embeddings(30), **RATE)
    return dataclasses.replace(
        report,
        norms=dataclasses.replace(report.norms, quantiles={"0": 1.0, "100": 1.5}),
        turning=dataclasses.replace(
            report.turning, slowdown=2.0, effective_rates={"5": 0.05, "50": 0.01, "95": 0.005}
        ),
        directions=dataclasses.replace(
            report.directions, resultant=0.1, participation=50.0, possible=100
        ),
    )


@pytest.mark.parametrize(
    ("part", "silent", "said", "words"),
    [
        ("norms", {"quantiles": {"0": 2, "100": 2.0201}}, {"quantiles": {"0": 2, "100": 2.0199}},
         "these embeddings look normalised"),
        ("turning", {"slowdown": 3.999}, {"slowdown": 4.001}, "wide spread of norms"),
        ("directions", {"resultant": 0.9499}, {"resultant": 0.9501}, "collapsed: the directions"),
        ("directions", {"participation": 5.01}, {"participation": 4.99}, "dimensional collapse"),
        ("directions", {"participation": 1.51, "possible": 20},
         {"participation": 1.49, "possible": 20}, "dimensional collapse"),
        ("directions", {"participation": 1.0, "possible": 2},
         {"participation": 1.0, "possible": 3}, "dimensional collapse"),
        ("turning", {"effective_rates": {"5": 0.05, "50": 1.001e-4}},
         {"effective_rates": {"5": 0.05, "50": 0.999e-4}}, "norms are large for this"),
        ("turning", {"effective_rates": {"5": 0.0999, "50": 0.01}},
         {"effective_rates": {"5": 0.1001, "50": 0.01}}, "predicted steps are rough"),
        ("turning", {"effective_rates": {"5": 0.05, "50": 0.01}},
         {"effective_rates": {"5": 0.9999, "50": 0.01}}, "predicted steps are rough"),
        ("turning", {"effective_rates": {"5": 0.05, "50": 0.01}},
         {"effective_rates": {"5": 1.0001, "50": 0.01}}, "learning rate is large for these norms"),
    ],
)  # fmt: skip
def test_a_warning_begins_at_its_threshold(
    quiet: nt.Diagnosis, part: str, silent: dict[str, Any], said: dict[str, Any], words: str
) -> None:
    def warned(numbers: dict[str, Any]) -> tuple[str, ...]:
        changed: Any = dataclasses.replace(getattr(quiet, part), **numbers)
        return alarms(dataclasses.replace(quiet, **{part: changed}))

    assert warned(silent) == ()
    (found,) = warned(said)
    assert words in found


def test_a_sum_over_pairs_has_the_rate_and_the_decay_of_a_mean_with_so_many_times_more() -> None:
    z = embeddings(30)
    mean = nt.diagnose(z, **RATE, weight_decay=1e-5).turning
    added = {"learning_rate": 0.02, "batch_size": 100, "reduction": "sum"}
    assert nt.diagnose(z, **added, weight_decay=1e-3).turning == mean
    assert mean.pair_rate == 0.02
    # ρ*⁴ = γ E[sin²φ] / (λ'(2 - γλ')) with λ' = 1e-3, in eight dimensions.
    expected = (0.02 * 7 / 8 / (1e-3 * (2 - 0.02 * 1e-3))) ** 0.25
    assert mean.equilibrium_norm == pytest.approx(expected)
