"""The pages: what they show runs, what they point to exists, and what they name may be named."""

from __future__ import annotations

import doctest
import functools
import re
from pathlib import Path
from typing import Any

import pytest

import normtheory

ROOT = Path(__file__).resolve().parents[1]
# Pages that are written, not made.
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(p for p in (ROOT / "docs").rglob("*.md") if not {"_build", "theory"} & set(p.parts)),
    ]
)
# Examples that compile for seconds what other tests of the default run call too.
DEAR_PAGES = {"README.md"} | {
    f"docs/how-to/{name}.md"
    for name in ("particles-in-python", "test-your-own-loss", "verify-a-claim")
}
LESSONS = sorted((ROOT / "docs" / "course").glob("[0-9]-*.md"))

# Everything that may be linked. Anything else, above all the address of a package registry (the
# project works with whichever one the user's pip is set to), is an error.
KNOWN_HOSTS = {
    "arxiv.org",
    "doi.org",
    "git-lfs.github.com",  # the first line of a Git LFS pointer
    "github.com",
    "keepachangelog.com",
    "openreview.net",
    "proceedings.mlr.press",
    "semver.org",
    "w3.org",  # the name of SVG in a script
}
TEXT_FILES = {".py", ".md", ".toml", ".lock", ".cff", ".bib", ".yaml", ".yml", ".json", ".cfg"}
TEXT_FILES |= {".html", ".js", ".css"}


def setup_commands() -> list[str]:
    """The commands of the README that make an environment."""
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("python3 -m venv ")]


def test_readme_has_two_set_up_commands() -> None:
    figures, tests = setup_commands()
    assert figures.endswith("-m figures --quick")
    assert tests.endswith("-m pytest")
    for command in (figures, tests):
        assert "pip install -c requirements.lock -e" in command


def test_ci_takes_the_commands_from_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "README.md" in script
    assert "pip install -c requirements.lock -e ." not in script
    assert not [command for command in setup_commands() if command in script]


def test_readme_opens_with_a_picture() -> None:
    text = (ROOT / "README.md").read_text()
    picture = re.search(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert picture
    assert picture.start() < 400
    assert (ROOT / picture[1]).stat().st_size > 5_000


def _by_cost(page: Path) -> Any:
    name = str(page.relative_to(ROOT))
    return pytest.param(page, id=name, marks=pytest.mark.slow if name in DEAR_PAGES else ())


def test_dear_pages_are_there() -> None:
    assert {str(page.relative_to(ROOT)) for page in PAGES} >= DEAR_PAGES


@pytest.mark.parametrize("page", [_by_cost(page) for page in PAGES])
def test_examples_on_pages_run(page: Path) -> None:
    text = page.read_text()
    examples = doctest.DocTestParser().get_doctest(
        # A closing fence is no part of the expected output.
        re.sub(r"^(```|:::).*$", "", text, flags=re.M),
        {},
        page.name,
        str(page),
        0,
    )
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples, out=report.append)
    assert not report, "".join(report)


def test_readme_shows_examples() -> None:
    assert (ROOT / "README.md").read_text().count(">>>") >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://", "#")):
            continue
        path = page.parent / target.partition("#")[0]
        found = path.exists() or path.with_suffix(".md").exists()
        assert found, f"{page.name} points to {target}, which does not exist"


@functools.cache
def project_texts() -> dict[Path, str]:
    """Text files of the project, built and hidden ones left out (but not .ci)."""
    skipped = {"_build", "_figures", "results", "mutants", "__pycache__"}
    found = [ROOT / ".ci" / "run"]
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if skipped & set(parts) or any(part.startswith(".") for part in parts):
            continue
        if path.suffix in TEXT_FILES and path.is_file():
            found.append(path)
    return {path: path.read_text() for path in found}


def test_only_known_addresses_are_named() -> None:
    named = {
        (str(path.relative_to(ROOT)), host)
        for path, text in project_texts().items()
        if "://" in text
        for host in re.findall(r"\w://(?:www\.)?([\w.-]+\.[a-z]{2,})", text)
    }
    strangers = {(path, host) for path, host in named if host not in KNOWN_HOSTS}
    assert not strangers, sorted(strangers)


def test_every_public_name_is_on_the_api_pages() -> None:
    page = "".join(path.read_text() for path in (ROOT / "docs" / "api").glob("*.md"))
    names = [n for n in normtheory.__all__ if not n.startswith("_")]
    missing = [n for n in names if not re.search(rf"\b{n}\b", page)]
    assert not missing


def test_every_source_is_cited() -> None:
    keys = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "docs/references.bib").read_text(), re.M))
    text = "".join(t for p, t in project_texts().items() if p.suffix in {".md", ".py"})
    cited = {
        k for group in re.findall(r"\{?cite(?::\w+)?\}?:?`([^`]+)`", text) for k in group.split(",")
    }
    assert keys == cited


@pytest.mark.slow
def test_a_lesson_runs_in_jupyter() -> None:
    # One is enough: tests/test_course.py runs the cells of all.
    import jupytext
    from nbclient import NotebookClient

    notebook = jupytext.read(LESSONS[0])
    assert any(cell.cell_type == "code" for cell in notebook.cells)
    client = NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": ROOT}}
    )
    client.execute()


def test_commands_name_files_that_there_are() -> None:
    missing = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in PAGES
        for block in re.findall(r"^```(?:sh|bash)\n(.*?)^```", page.read_text(), re.M | re.S)
        for name in re.findall(
            r"(?<![\w/.])(?:docs|tests|figures|simulations|normtheory)/[\w./-]*[\w/]", block
        )
        if not {"_build", "_figures"} & set(Path(name).parts) and not (ROOT / name).exists()
    ]
    assert not missing
