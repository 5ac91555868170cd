"""The answers of `normtheory predict` are those of the closed forms, written out here by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from normtheory import cli
from normtheory.cli._predict import as_json, predictions, table


def _values(**settings) -> dict[str, Any]:
    return {p.name: p.value for p in predictions(**settings)}


def test_the_published_toy_run_in_closed_form():
    found = _values(norm=10.0, learning_rate=10.0, batch_size=500, reduction="mean", dimension=20)
    assert found["pair_rate"] == 0.02
    assert found["effective_learning_rate"] == pytest.approx(2e-4)
    # Draganov et al. 2025: 9662 steps at norm 10 (simulations/published.json).
    assert found["random_pair_steps"] == pytest.approx(9662, rel=0.005)
    expected = 100 / 0.04 * math.log(1 / math.tan(math.acos(1 - 1e-3) / 2))
    assert found["steps_to_converge"] == pytest.approx(expected, rel=1e-12)
    assert found["next_norm"] == pytest.approx(math.hypot(10, 0.02 / 10), rel=1e-15)


def test_weight_decay_adds_its_balance():
    assert "equilibrium_norm" not in _values(norm=1.0, learning_rate=0.1)
    found = _values(norm=1.0, learning_rate=0.1, weight_decay=0.01, gradscale=1.0)
    assert found["equilibrium_norm"] == pytest.approx((0.1 / (0.01 * (2 - 1e-3))) ** 0.5)
    assert found["equilibrium_angular_step"] == pytest.approx(math.acos(1 - 1e-3))
    assert found["relaxation_steps"] == pytest.approx(1 / (2 * 0.1 * 0.01))
    # At p = 2 nothing balances.
    without = _values(norm=1.0, learning_rate=0.1, weight_decay=0.01, gradscale=2.0)
    assert without["equilibrium_norm"] is None
    assert without["relaxation_steps"] is None


def test_a_mean_divides_the_pull_and_not_the_decay():
    settings = {"norm": 1.0, "learning_rate": 5.0, "weight_decay": 1e-3}
    found = _values(**settings, batch_size=100, reduction="mean")
    assert found["equilibrium_angular_step"] == pytest.approx(math.acos(1 - 5e-3))
    assert found["relaxation_steps"] == pytest.approx(1 / (4 * 5e-3))
    # γ = 0.05 pulls against a decay of 0.005 a step.
    assert found["equilibrium_norm"] == pytest.approx((0.05 / (0.1 * (2 - 5e-3))) ** 0.25)


def test_a_frozen_partner_halves_the_speed_and_has_no_rate():
    both = _values(norm=2.0, learning_rate=0.01)
    one = _values(norm=2.0, learning_rate=0.01, stop_gradient=True)
    assert one["steps_to_converge"] == pytest.approx(2 * both["steps_to_converge"])
    assert one["stability"] == pytest.approx(both["stability"] / 2)


@pytest.mark.parametrize(
    ("norm", "norm_j", "stop_gradient", "good"),
    [
        (1.0, None, False, False),
        (4.0, None, False, True),
        # x = 0.5/16 of one point, 0.5 of the other.
        (4.0, 1.0, False, False),
        (1.0, 4.0, False, False),
        # A point that does not move has no rate.
        (4.0, 1.0, True, True),
        (1.0, 4.0, True, False),
    ],
)
def test_a_rate_beyond_the_flow_is_marked_whichever_point_has_it(norm, norm_j, stop_gradient, good):
    found = predictions(norm, 0.5, norm_j=norm_j, stop_gradient=stop_gradient)
    (steps,) = (p for p in found if p.name == "steps_to_converge")
    assert ("good to a few percent" in steps.formula) is good
    assert ("a rough guide" in steps.formula) is not good


def test_stability_is_the_sum_of_both_rates():
    # 0.5/1² + 0.5/4²
    assert _values(norm=1.0, norm_j=4.0, learning_rate=0.5)["stability"] == 0.53125
    assert _values(norm=4.0, norm_j=1.0, learning_rate=0.5)["stability"] == 0.53125
    # GradScale of power 1: 0.5/1 + 0.5/4.
    found = _values(norm=1.0, norm_j=4.0, learning_rate=0.5, gradscale=1.0)
    assert found["stability"] == 0.625


@pytest.mark.parametrize(
    ("dimension", "square"), [(None, 1.0), (2, 1 / 2), (4, 3 / 4), (100, 0.99)]
)
def test_fresh_partners_stand_at_right_angles_up_to_one_component(dimension, square):
    # A uniform direction has E[cos²φ] = 1/d. Then ρ⁴ = γE[sin²φ]/(λ(2 - γλ)).
    found = _values(norm=1.0, learning_rate=0.5, weight_decay=0.125, dimension=dimension)
    expected = (0.5 * square / (0.125 * (2 - 0.0625))) ** 0.25
    assert found["equilibrium_norm"] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("changes", "printed"),
    [
        ({}, True),
        ({"norm_j": 2.0}, True),
        ({"norm_j": 3.0}, False),
        ({"stop_gradient": True}, False),
        ({"dimension": 4}, True),
        ({"dimension": 3}, False),
        ({"dimension": None}, False),
    ],
)
def test_steps_of_random_pairs_are_for_equal_norms_in_more_than_three_dimensions(changes, printed):
    found = _values(**{"norm": 2.0, "learning_rate": 0.01, "dimension": 8, **changes})
    assert ("random_pair_steps" in found) is printed
    if printed:
        d = changes.get("dimension", 8)
        expected = 4 / 0.04 * math.log(2 * (d - 1) / ((d - 3) * 1e-3))
        assert found["random_pair_steps"] == pytest.approx(expected, rel=1e-3)


def test_json_has_no_infinity():
    found = predictions(1.0, 0.01, angle=math.pi)
    assert "inf" in table(found)
    data = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert data["steps_to_converge"]["value"] is None
    assert data["steps_to_converge"]["claim"] == "norm_effect"


def test_every_claim_that_is_named_exists():
    from normtheory import claims

    found = predictions(1.0, 0.01, weight_decay=0.1, dimension=8)
    assert {p.claim for p in found} <= set(claims.list())


def test_a_mean_needs_its_batch_size():
    with pytest.raises(ValueError, match="reduction 'mean' needs the batch size"):
        predictions(1.0, 0.01, reduction="mean")
    with pytest.raises(ValueError, match="norm"):
        predictions(-1.0, 0.01)


def _run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main(["predict", *arguments])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


TOY = ("--norm", "10", "--learning-rate", "10", "--batch-size", "500", "--reduction", "mean")


def test_the_command_prints_the_table(capsys):
    status, out, err = _run(capsys, *TOY, "--dimension", "20")
    found = predictions(10.0, 10.0, batch_size=500, reduction="mean", dimension=20)
    assert (status, out, err) == (0, table(found) + "\n", "")
    assert any(line.startswith("random_pair_steps") for line in out.splitlines())


def test_every_option_reaches_the_formulas(capsys):
    options: dict[str, Any] = {
        "norm": 2.0,
        "learning_rate": 0.4,
        "norm_j": 3.0,
        "batch_size": 4,
        "reduction": "mean",
        "angle": 1.25,
        "tolerance": 1e-4,
        "gradscale": 0.5,
        "weight_decay": 0.125,
        "dimension": 8,
    }
    words = [w for name, x in options.items() for w in (f"--{name.replace('_', '-')}", str(x))]
    for frozen, flags in (False, ()), (True, ("--stop-gradient",)):
        status, out, err = _run(capsys, *words, *flags, "--json")
        assert (status, err) == (0, "")
        expected = as_json(predictions(**options, stop_gradient=frozen))
        assert json.loads(out, parse_constant=pytest.fail) == expected
    # Each of them counts: leaving one out changes the answer.
    for k, name in enumerate(options):
        if name not in ("norm", "learning_rate", "batch_size"):
            _, out, _ = _run(capsys, *words[: 2 * k], *words[2 * k + 2 :], "--json")
            assert json.loads(out) != as_json(predictions(**options)), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing option '--norm'"),
        (("--norm", "1"), "Missing option '--learning-rate'"),
        (("--norm", "-1", "--learning-rate", "1"), "norm"),
        (("--norm", "1", "--learning-rate", "x"), "a valid "),
        (("--norm", "1", "--learning-rate", "0"), "learning_rate: expected a finite number and >"),
        ((*TOY[:4], "--reduction", "men"), "reduction: expected 'mean' or 'sum', got 'men'"),
        ((*TOY[:4], "--reduction", "mean"), "needs the batch size"),
        ((*TOY, "--angle", "4"), "angle"),
        ((*TOY, "--tolerance", "3"), "tolerance"),
        ((*TOY, "--weight-decay", "60"), "weight_decay"),
        ((*TOY, "--batch-siz", "3"), "No such option"),
    ],
)
def test_bad_usage_is_one_line_and_2(capsys, arguments, message):
    status, out, err = _run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("normtheory: ")
    assert message in err
    assert err.count("\n") == 1


def test_help_shows_an_example(capsys):
    status, out, _ = _run(capsys, "--help")
    assert status == 0
    assert "Example: normtheory predict --norm 10" in " ".join(out.split())
    assert "--stop-gradient" in out
