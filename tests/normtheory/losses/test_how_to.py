"""The how-to for a new loss, followed to the letter in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "how-to" / "add-a-loss.md"


def steps() -> dict[str, str]:
    """What the page says to write, by the path of the file."""
    block = re.compile(
        r"^ +```\{code-block\} \w+\n +:caption: (\S+)\n\n(.*?)^ +```$", re.MULTILINE | re.DOTALL
    )
    return {path: textwrap.dedent(text) for path, text in block.findall(PAGE.read_text("utf-8"))}


def follow(copy: Path) -> str:
    """Take all steps, and return the name of the new loss."""
    name = ""
    for path, text in steps().items():
        file = copy / path
        if not file.exists():
            name = file.stem
            file.write_text(text, "utf-8")
        elif file.suffix == ".py":  # at the end of the functions, before the table of them
            before, table, after = file.read_text("utf-8").partition("\n\nPLAIN: ")
            if not table:
                before, table, after = file.read_text("utf-8").partition("\n\nLOOPS: ")
            assert table
            file.write_text(f"{before}\n\n{text}{table}{after}", "utf-8")
        else:
            file.write_text(f"{file.read_text('utf-8')}\n{text}", "utf-8")
    return name


def run(copy: Path, name: str, *tests: str) -> subprocess.CompletedProcess[str]:
    """The tests of one loss in the copy."""
    chosen = ("-q", "-n", "0", "-m", "not torch", "-p", "no:cacheprovider", "-k", name)
    return subprocess.run(
        [sys.executable, "-m", "pytest", *chosen, *tests],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "NORMTHEORY_LOSS": name, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=1800,
    )


def test_the_page_has_four_steps() -> None:
    new, *others = steps()
    assert new.startswith("normtheory/losses/definitions/")
    assert others == [
        "normtheory/verify/_plain_losses.py",
        "tests/normtheory/losses/loops.py",
        "docs/references.bib",
    ]


@pytest.mark.slow
def test_a_loss_that_is_added_by_the_page_passes_its_tests(tmp_path: Path) -> None:
    for name in ("normtheory", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    for name in ("pyproject.toml", "docs/references.bib"):
        shutil.copy(ROOT / name, tmp_path / name)
    name = follow(tmp_path)
    done = run(tmp_path, name, "tests/normtheory/losses")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    # Closed form, autodiff, blocks, loop, digits, stability, laws: a name in every table.
    assert int(passed[1]) >= 10, done.stdout
    wrong = tmp_path / "normtheory" / "losses" / "definitions" / f"{name}.py"
    text = wrong.read_text("utf-8")
    assert "2 * others" in text
    wrong.write_text(text.replace("2 * others", "others"), "utf-8")
    done = run(tmp_path, name, "tests/normtheory/losses/test_closed_forms.py")
    assert done.returncode == 1, done.stdout + done.stderr
