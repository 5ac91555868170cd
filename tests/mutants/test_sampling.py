"""A sample of the errors: which are drawn, and what is said of all of them."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.mutants import __main__ as tool
from tests.mutants.errors import Error, errors
from tests.mutants.sampling import drawn, fewest_killed


def test_every_choice_is_as_likely() -> None:
    """False alarms: 5e-7 a run (5.5 standard errors, ten pairs)."""
    counts = Counter(tuple(drawn("abcde", 2, seed)) for seed in range(20_000))
    assert sorted(counts) == [*itertools.combinations("abcde", 2)]  # in order, none twice
    deviations = np.array([*counts.values()]) - 2000
    assert np.abs(deviations).max() < 5.5 * math.sqrt(20_000 * 0.1 * 0.9)


def test_a_seed_is_a_sample() -> None:
    listed = range(100)
    assert drawn(listed, 10, 3) == drawn(listed, 10, 3) != drawn(listed, 10, 4)
    assert drawn(listed, 100, 3) == [*listed]


@pytest.mark.parametrize("listed", [1, 7, 20])
def test_the_bound_is_the_fewest_that_the_sample_does_not_refute(listed: int) -> None:
    """By counting samples, in exact fractions."""
    for sample in range(1, listed + 1):
        for killed in range(sample + 1):

            def as_many(of_all: int, sample: int = sample, killed: int = killed) -> Fraction:
                ways = (
                    math.comb(of_all, x) * math.comb(listed - of_all, sample - x)
                    for x in range(killed, sample + 1)
                )
                return Fraction(sum(ways), math.comb(listed, sample))

            expected = next(k for k in range(listed + 1) if as_many(k) > Fraction(1, 20))
            assert fewest_killed(killed, sample, listed) == expected


def test_the_bound_is_just_above_that_of_clopper_and_pearson() -> None:
    # Where all of n are killed their bound is 0.05^(1/n).
    assert 0.05 ** (1 / 59) < fewest_killed(59, 59, 674) / 674 < 0.955


@pytest.fixture
def survivors(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Nothing is copied or run; what is in the set survives."""
    names: set[str] = set()

    def verdict(error: Error, copy: Path, longest: float) -> str:
        return tool.SURVIVED if error.what in names else tool.KILLED

    monkeypatch.setattr(tool, "copy_of_the_clone", lambda folder: folder)
    monkeypatch.setattr(tool, "run", lambda *_: (0, ""))
    monkeypatch.setattr(tool, "verdict", verdict)
    monkeypatch.setattr(tool.shutil, "copytree", lambda _, folder: Path(folder))
    return names


def test_only_tests_of_an_error_are_ended_and_not_before_all_have_taken_as_long(
    survivors: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, takes, limits = [0.0], [30.0], []

    def run(*_: object, longest: float | None = None) -> tuple[int, str]:
        assert longest is None  # whatever they take on this machine
        clock[0] += takes[0]
        return 0, ""

    def verdict(error: Error, copy: Path, longest: float) -> str:
        limits.append(longest)
        return tool.KILLED

    monkeypatch.setattr(tool.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(tool, "run", run)
    monkeypatch.setattr(tool, "verdict", verdict)
    tool.main(["losses", "--sample", "2"])
    takes[0] = 1000.0
    tool.main(["losses", "--sample", "2"])
    assert limits == [600.0, 600.0, 1000.0, 1000.0]


def planted(printed: str) -> list[str]:
    """The errors that were tried, as printed."""
    return sorted(re.findall(r"^(?:killed|survived) +(.*)$", printed, re.MULTILINE))


def test_only_the_sample_is_planted_and_its_seed_is_printed(
    survivors: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    everything = errors("losses")
    assert tool.main(["losses", "--sample", "50", "--seed", "7"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"50 of {len(everything)} errors drawn at random, seed 7\n")
    assert planted(printed) == sorted(
        f"losses: {error.what} ({error.file})" for error in drawn(everything, 50, 7)
    )
    share = fewest_killed(50, 50, len(everything)) / len(everything)
    assert f"at least {share:.1%} would be killed (95% confidence)" in printed


def test_a_new_seed_is_printed_and_draws_the_same_again(
    survivors: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    tool.main(["losses", "figures", "--sample", "5"])
    first = capsys.readouterr().out
    seed = re.findall(r"seed (\d+)$", first, re.MULTILINE)
    tool.main(["losses", "figures", "--sample", "5", "--seed", *seed])
    assert planted(first) == planted(capsys.readouterr().out)
    tool.main(["losses", "figures", "--sample", "5"])  # the same again in one of 2³² runs
    assert seed != re.findall(r"seed (\d+)$", capsys.readouterr().out, re.MULTILINE)


def test_the_status_is_that_of_the_bound(
    survivors: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    # All killed of 45 out of some 80: few of the others can survive. Of 20: too many can.
    assert tool.main(["losses", "--sample", "45", "--seed", "0"]) == 0
    assert tool.main(["losses", "--sample", "20", "--seed", "0"]) == 1
    assert "100.0% of 20 killed" in capsys.readouterr().out
    # One of 30 survives: 97 %, but the bound is lower. One of them all, without a sample: 99 %.
    survivors.add(drawn(errors("losses"), 30, 0)[4].what)
    assert tool.main(["losses", "--sample", "30", "--seed", "0"]) == 1
    capsys.readouterr()
    assert tool.main(["losses"]) == 0
    printed = capsys.readouterr().out
    assert "would be killed" not in printed
    assert "seed" not in printed.splitlines()[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["losses", "--sample", "0"], r"--sample: expected 1 to \d+, the number of errors, got 0"),
        (["losses", "--sample", "100000"], r"expected 1 to \d+, .* got 100000"),
        (["losses", "--sample", "half"], "invalid int value: 'half'"),
        (["losses", "--seed", "1"], "--seed is of the draw of --sample, which is not given"),
        (["--sample", "1", "--seed", "-1"], "--seed: expected an integer >= 0, got -1"),
    ],
)
def test_a_sample_that_cannot_be_drawn(
    given: list[str], said: str, survivors: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        tool.main(given)
    assert ended.value.code == 2
    assert re.search(said, capsys.readouterr().err)
