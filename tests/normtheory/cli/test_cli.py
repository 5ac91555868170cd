"""The command line: messages, exit statuses, JSON."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

import normtheory
from normtheory import claims, cli
from normtheory import verify as verify_module


def _run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


@pytest.fixture
def quick(monkeypatch):
    """The command with small clouds."""
    full = verify_module.verify
    monkeypatch.setattr(
        verify_module,
        "verify",
        lambda names, **kwargs: full(names, points=4, dimensions=(3,), **kwargs),
    )


def test_without_a_command_there_is_help(capsys):
    status, out, err = _run(capsys)
    assert (status, err) == (0, "")
    assert out.startswith("Usage: normtheory")
    for command in ("verify", "predict", "simulate", "diagnose"):
        assert f"\n  {command} " in out


def test_version(capsys):
    assert _run(capsys, "--version") == (0, f"normtheory {normtheory.__version__}\n", "")


def test_list_names_the_claims_and_verifies_none(capsys, monkeypatch):
    monkeypatch.delattr(verify_module, "verify")
    status, out, _ = _run(capsys, "verify", "--list")
    assert status == 0
    names = [line.split()[0] for line in out.splitlines()]
    assert names == [*claims.list()]
    assert "\nnorm_growth            A gradient step never shrinks a norm\n" in out
    _, out, _ = _run(capsys, "verify", "--list", "--json", "--claim", "norm_growth")
    assert json.loads(out) == {"norm_growth": "A gradient step never shrinks a norm"}


def test_table(capsys, quick):
    status, out, err = _run(capsys, "verify", "--claim", "fixed_keys", "--claim", "norm_budget")
    assert status == 0
    assert "2 of 2 claims passed" in out
    assert out.index("fixed_keys") < out.index("norm_budget")
    header, _, *rows, total = out.splitlines()
    place = header.index("time")
    times = [float(row[place:].split(" s ")[0]) for row in rows]
    assert sum(times) == pytest.approx(float(total.split()[-2]), abs=0.2)
    # No progress bar where standard error isn't a terminal.
    assert err == ""


def test_json(capsys, quick):
    status, out, err = _run(capsys, "verify", "--claim", "fixed_keys", "--json", "--seed", "3")
    data = json.loads(out)
    assert status == 0
    assert err == ""
    assert [claim["name"] for claim in data["claims"]] == ["fixed_keys"]
    assert data["claims"][0]["passed"] is True
    assert data["seed"] == 3


def test_a_wrong_formula_exits_with_1(capsys, monkeypatch, quick):
    claim = claims.get("fixed_keys")
    spoilt = dataclasses.replace(claim.checks[1], formula=claim.checks[1].planted)
    wrong = dataclasses.replace(claim, checks=(claim.checks[0], spoilt))
    monkeypatch.setattr("normtheory.claims._registry.get", lambda name: wrong)
    status, out, _ = _run(capsys, "verify", "--claim", "fixed_keys")
    assert status == 1
    assert "FAILED" in out
    assert "fixed_keys: gradient:" in out
    status, out, _ = _run(capsys, "verify", "--claim", "fixed_keys", "--json")
    assert status == 1
    assert json.loads(out)["passed"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("verify", "--claim", "norm_grwth"),
            "no claim is called 'norm_grwth'; did you mean norm_growth",
        ),
        (("verify", "--claim"), "requires an argument"),
        (("verify", "--nonsense"), "No such option"),
        (("verify", "--seed", "x"), "valid integer"),
        (("verify", "--seed", "-1"), "'--seed'"),
        (("nonsense",), "No such command"),
    ],
)
def test_bad_usage_is_one_line_and_2(capsys, arguments, message):
    status, out, err = _run(capsys, *arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("normtheory: ")
    assert message in err
    assert err.count("\n") == 1


def test_interrupt_exits_with_130(capsys, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(verify_module, "verify", interrupted)
    status, out, err = _run(capsys, "verify", "--claim", "fixed_keys")
    assert status == 130
    assert out == ""
    assert "interrupted" in err


def test_a_defect_of_ours_is_not_swallowed(monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("a defect")

    monkeypatch.setattr(verify_module, "verify", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        cli.main(["verify", "--claim", "fixed_keys"])


def test_help_shows_an_example(capsys):
    status, out, _ = _run(capsys, "verify", "--help")
    assert status == 0
    assert "Example: normtheory verify --claim" in out
    assert "--json" in out


def test_runs_as_a_module():
    found = subprocess.run(
        [sys.executable, "-m", "normtheory", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
    assert "Traceback" not in found.stderr
