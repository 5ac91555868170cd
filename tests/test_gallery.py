"""The gallery: what it says of a picture stands in the file of that very picture."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import figures
from figures.__main__ import About, save
from normtheory import claims

ROOT = Path(__file__).resolve().parents[1]

sys.path.append(str(ROOT / "docs" / "_ext"))
claim_text = importlib.import_module("claim_text")
gallery_text = importlib.import_module("gallery_text")
page_parts = importlib.import_module("page_parts")

SAID = About(
    "step_change", "n = 7 pairs; (a) *steps* of |cos|, (b) cost $5.", "python -m figures x"
)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Of a gallery, beside a folder for figures."""
    (tmp_path / "_figures").mkdir()
    return tmp_path / "gallery.md"


def drawn(page: Path, width: float, said: About | None = SAID) -> Path:
    """The folder, with one picture in it."""
    for kind in ("png", "pdf"):
        path = page.parent / "_figures" / f"step_change.{kind}"
        save(Figure(figsize=(width, 1.0)), path, said)
    return page.parent / "_figures"


def test_caption_and_command_are_those_of_the_file(page: Path) -> None:
    folder = drawn(page, figures.PAGE)
    text = gallery_text.gallery([claims.get("step_change")], folder, page)
    shown = r"n = 7 pairs; (**a**) \*steps\* of \|cos\|, (**b**) cost \$5."
    assert f":::{{container}} caption\n{shown}\n:::" in text
    assert "```sh\npython -m figures x\n```" in text
    assert page_parts.caption(ROOT / "figures" / "step_change.py") in text
    for kind in ("png", "pdf"):
        assert f"{{download}}`step_change.{kind} <_figures/step_change.{kind}>`" in text
    other = drawn(page, figures.PAGE, SAID._replace(caption="n = 8 pairs."))
    assert "n = 8 pairs." in gallery_text.gallery([], other, page)


def test_a_claim_shows_its_figure_with_the_same_caption(page: Path) -> None:
    folder = drawn(page, figures.PAGE)
    text = claim_text.claim_page(claims.get("step_change"), [], page, folder)
    assert r"n = 7 pairs; (**a**) \*steps\*" in text


def test_a_picture_that_says_nothing_is_shown_all_the_same(page: Path) -> None:
    text = gallery_text.gallery([], drawn(page, figures.PAGE, None), page)
    assert "_figures/step_change.png" in text
    assert ":::{container} caption" not in text
    assert "With the settings" not in text


@pytest.mark.parametrize(("width", "kind"), [(figures.PAGE, "wide"), (figures.COLUMN, "narrow")])
def test_a_picture_has_a_frame_of_its_width_and_leads_to_its_file(
    page: Path, width: float, kind: str
) -> None:
    text = gallery_text.gallery([], drawn(page, width), page)
    assert re.findall(r"^:::\{container\} picture (\w+)$", text, re.MULTILINE) == [kind]
    assert ":width: 100%" in text  # where there is one, Sphinx links to the whole file
    style = (ROOT / "docs" / "_static" / "pages.css").read_text("utf-8")
    assert f".picture.{kind} {{" in style
