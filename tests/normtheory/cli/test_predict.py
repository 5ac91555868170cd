"""`normtheory predict` gives what `nt.predict` does, whose tests hold the numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest

import normtheory as nt
from normtheory import cli


def _run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main(["predict", *arguments])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


TOY = ("--norm", "10", "--learning-rate", "10", "--batch-size", "500", "--reduction", "mean")


def test_the_command_prints_the_table(capsys):
    status, out, err = _run(capsys, *TOY, "--dimension", "20")
    found = nt.predict(10.0, 10.0, batch_size=500, reduction="mean", dimension=20)
    assert (status, out, err) == (0, f"{found}\n", "")
    assert any(line.startswith("random_pair_steps") for line in out.splitlines())


RUNS: list[dict[str, Any]] = [
    {
        "optimizer": "momentum",
        "momentum": 0.5,
        "norm_j": 3.0,
        "batch_size": 4,
        "reduction": "mean",
        "temperature": 2.0,
        "angle": 1.25,
        "tolerance": 1e-4,
        "weight_decay": 0.125,
        "dimension": 8,
        "lag": 7,
        "loss": "clip",
        "alignment": 0.5,
        "negatives": 3,
        "margin": 0.5,
        "wrong": 0.1,
        "scale_rate": 0.1,
    },
    {"gradscale": 0.5, "batch_size": 4, "reduction": "sum", "scale": 2.0}
    | {"loss": "siglip", "cosine": 0.1},
    {"optimizer": "adamw", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "slope": 0.5}
    | {"weight_decay": 0.125, "dimension": 8},
]
UNSEEN = ("negatives",)  # the same as those of the batch


@pytest.mark.parametrize("options", RUNS, ids=["momentum", "sgd", "adamw"])
def test_every_option_reaches_the_formulas(capsys, options):
    pair = ("--norm", "2.0", "--learning-rate", "0.4")
    words = [(f"--{name.replace('_', '-')}", str(x)) for name, x in options.items()]
    status, out, err = _run(capsys, *pair, *(w for two in words for w in two), "--json")
    assert (status, err) == (0, "")
    expected = nt.predict(2.0, 0.4, **options).to_dict()
    assert json.loads(out, parse_constant=pytest.fail) == expected
    # Each of them counts: without it the answer is another, or none.
    for k, name in enumerate(options):
        if name not in UNSEEN:
            rest = [w for two in words[:k] + words[k + 1 :] for w in two]
            status, out, _ = _run(capsys, *pair, *rest, "--json")
            assert status == 2 or json.loads(out) != expected, name


def test_flags_and_several_norms_reach_the_formulas(capsys):
    flags = ("--stop-gradient", "--decoupled", "--optimizer", "momentum", "--weight-decay", "0.1")
    _, out, _ = _run(capsys, "--norm", "1", "--norm", "2", "--learning-rate", "0.1", *flags)
    options: dict[str, Any] = {"optimizer": "momentum", "weight_decay": 0.1}
    found = nt.predict([1.0, 2.0], 0.1, stop_gradient=True, coupled=False, **options)
    assert out == f"{found}\n"
    assert str(nt.predict([1.0, 2.0], 0.1, stop_gradient=True, **options)) not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing option '--norm'"),
        (("--norm", "1"), "Missing option '--learning-rate'"),
        (("--norm", "-1", "--learning-rate", "1"), "norm"),
        (("--norm", "1", "--learning-rate", "x"), "a valid "),
        (("--norm", "1", "--learning-rate", "0"), "learning_rate: expected a finite number and >"),
        (TOY[:6], "batch_size: expected a reduction with it, 'mean' or 'sum'"),
        (("--norm", "1", "--norm", "0", "--learning-rate", "1"), "norm: expected a finite number"),
        ((*TOY, "--optimizer", "sdg"), "optimizer: expected one of sgd, momentum, adam, adamw"),
        ((*TOY, "--lag", str(2**70)), "expected an integer up to"),
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
