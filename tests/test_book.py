"""The pages made from objects: the book of claims and the lists of names."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import re
import sys
from pathlib import Path

import pytest

from normtheory import claims
from normtheory.claims._chapters import CHAPTERS
from normtheory.particles import observables, optimizers, stop
from normtheory.verify import MEASUREMENTS

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "docs" / "theory"

sys.path.append(str(ROOT / "docs" / "_ext"))
claim_text = importlib.import_module("claim_text")
claim_uses = importlib.import_module("claim_uses")
found = importlib.import_module("found")
list_text = importlib.import_module("list_text")
page_parts = importlib.import_module("page_parts")


def test_a_page_says_what_the_claim_says_and_folds_proof_and_tolerances(tmp_path: Path) -> None:
    claim = claims.get("step_change")
    named = ["change, d=2", "change, d=3, point 1 of 2", "change, d=3, point 2 of 2", "bound"]
    page = claim_text.claim_page(claim, named, BOOK / "step_change.md", tmp_path)
    open_text = re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL)
    in_order = (
        "(step_change)=",
        f"# {claim.title}",
        claim.meaning,
        claim.assumptions[0],
        claim.conditions[0].region,
        claim.conditions[0].counterexample,
        claim.reason,
        claim.consequence,
        claim.checks[0].mistake,
        "normtheory verify --claim step_change",
        "{py:obj}`normtheory.stability.best_rate`",
    )
    places = [open_text.index(part) for part in in_order]
    assert places == sorted(places)
    assert all(check.reason not in open_text for check in claim.checks)
    proof, tolerances = re.findall(r"<details>.*?</details>", page, re.DOTALL)
    assert "change ($d = 2, 3$); bound." in proof
    source = re.search(r"\{literalinclude\} (.+)", proof)
    assert source
    assert (BOOK / source[1]).resolve() == ROOT / "normtheory" / "claims" / "step_change.py"
    assert all(f"<measurement-{check.measurement}>" in tolerances for check in claim.checks)
    assert all(check.reason in tolerances for check in claim.checks)


def test_a_wide_statement_stands_on_several_lines() -> None:
    short = r"a=b,\qquad c=d"
    assert claim_text.formula(short) == short
    wide = rf"{'a' * 60}\quad {'b' * 60}\quad c,\qquad d"
    lines = claim_text.formula(wide).splitlines()
    assert [line.removesuffix(r" \\[1ex]") for line in lines[1:-1]] == [
        "a" * 60,
        rf"{'b' * 60}\quad  c,",
        "d",
    ]
    braced = rf"\text{{{'a' * 60}\quad {'b' * 60}}},\qquad d"  # no line ends inside of braces
    assert len(claim_text.formula(braced).splitlines()) == 4


def test_a_claim_that_another_presupposes_is_linked(tmp_path: Path) -> None:
    page = claim_text.claim_page(claims.get("simplex_steps"), [], BOOK / "x.md", tmp_path)
    assert "- an equiangular cloud of n points (claim {ref}`equiangular`), b = 1/τ" in page


def test_the_book_has_every_claim_in_one_chapter() -> None:
    chapters = claim_text.chapters()
    pages = [claim_text.chapter_page(name, part) for name, part in chapters.items()]
    trees = [re.findall(r"^\w+$", page, re.MULTILINE) for page in pages]
    assert [name for tree in trees for name in tree] == [*claims.list()]
    for page, chapter in zip(pages, CHAPTERS.values(), strict=True):
        heading, introduction, first = page.split("\n\n")[:3]
        assert (heading, introduction) == (f"# {chapter.name}", chapter.introduction)
        assert first.startswith("- {ref}")
    index = claim_text.index()
    assert re.findall(r"\{ref\}`[^<`]+ <(\w+)>`", index) == [*claims.list()]
    assert all(claims.get(name).meaning in index for name in claims.list())
    slugs = [claim_text.slug(name) for name in chapters]
    assert re.findall(r"^theory/(\w+)$", index, re.MULTILINE) == slugs
    assert not set(slugs) & set(claims.list())  # they share a folder


def test_a_claim_is_found_where_it_is_used() -> None:
    def files(name: str) -> list[str]:
        return [path.relative_to(ROOT).as_posix() for path in claim_uses.code(name)]

    assert "normtheory/invariants.py" in files("norm_growth_momentum")
    assert "normtheory/invariants.py" not in files("norm_growth")  # a longer name is another one
    # "claims norm_effect, optimizers"
    assert "normtheory/monitoring/_quantities.py" in files("optimizers")
    assert "corrections" in claim_uses.pages("step_change")
    assert "equilibrium_norm" in claim_uses.predictions("adamw_equilibrium")
    assert claim_uses.predictions("hessian") == ()
    assert "opposite_halves" in claim_uses.claims("norm_effect")


def test_a_proof_is_run_again_only_when_its_sources_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(found, "KEPT", tmp_path / "found.json")
    source = tmp_path / "claim.py"
    source.write_text("one")
    runs: list[str] = []

    def run() -> list[str]:
        runs.append(source.read_text())
        return [*runs]

    def kept(version: str = "1") -> list[str]:
        return found.kept("proof", [source], version, run)

    assert kept() == kept() == ["one"]
    source.write_text("two")
    assert kept() == ["one", "two"]
    assert len(kept("2")) == 3
    assert len(json.loads((tmp_path / "found.json").read_text())) == 1


def test_the_sources_of_a_proof_are_its_file_and_those_it_imports() -> None:
    names = [path.stem for path in found.sources("opposite_halves")]
    assert names[0] == "opposite_halves"
    assert {"norm_effect", "_symbolic", "_claim", "_plane"} <= set(names)
    assert "hessian" not in names


def test_a_page_that_says_the_same_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "book" / "page.md"
    page_parts.write(page, "one")
    before = page.stat().st_mtime_ns
    page_parts.write(page, "one")
    assert page.stat().st_mtime_ns == before
    page_parts.write(page, "two")
    assert page.read_text() == "two"


def test_lists_have_all_the_names_with_their_arguments() -> None:
    recorded = "\n".join(list_text.LISTS["observables"]())
    assert all(f"| `{name}` |" in recorded for name in observables.OBSERVABLES)
    stops = list_text.LISTS["stop rules"]()
    names = [name for name in stop.__all__ if name != "Stop"]
    assert sum(line.startswith("### ") for line in stops) == len(names)
    assert "| `target` |  | the value to reach, such as the least there is. |" in stops
    rules = list_text.LISTS["optimizers"]()
    assert "| `b2` | `0.999` | decay of the mean of their squares. |" in rules
    names = [name for name in optimizers.__all__ if name not in ("OPTIMIZERS", "Rule")]
    assert sum(line.startswith("### ") for line in rules) == len(names)


def test_arguments_end_where_the_next_section_begins() -> None:
    def function() -> None:
        """What it does.

        Args:
            one: first,
                over two lines.
            *more: ``rest``.

        Raises:
            ValueError: no argument.
        """

    assert list_text.arguments(function) == {"one": "first, over two lines.", "more": "`rest`."}


def test_measurements_are_run_with_the_options_that_they_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, measurement in MEASUREMENTS.items():
        options = [*inspect.signature(measurement.function).parameters.values()][3:]
        needed = {option.name for option in options if option.default is option.empty}
        assert needed <= set(found._options(name)), name
    names = {"inputs": ["z"], "values": ["gradient"], "options": []}
    monkeypatch.setattr(found, "measured", lambda: {"cosine_pair": names})
    lines = list_text.LISTS["measurements"]()
    assert "(measurement-cosine_pair)=" in lines
    assert lines[5:8] == ["- inputs: `z`", "- values: `gradient`", "- dimensions: 2, 3, 1024"]


def test_a_condition_that_fails_only_somewhere_says_so(tmp_path: Path) -> None:
    claim = claims.get("norm_growth_momentum")
    (condition,) = claim.conditions
    assert not condition.exact
    page = claim_text.claim_page(claim, [], BOOK / "x.md", tmp_path)
    assert f"It fails outside somewhere; for example: {condition.counterexample}." in page
    sharp = dataclasses.replace(claim, conditions=(dataclasses.replace(condition, exact=True),))
    page = claim_text.claim_page(sharp, [], BOOK / "x.md", tmp_path)
    assert f"It fails outside; for example: {condition.counterexample}." in page
