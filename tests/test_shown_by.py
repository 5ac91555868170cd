"""A claim says which figures show it, and the pages go by that."""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

import figures
from normtheory import claims

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = [claims.get(name) for name in claims.list()]
PAGE = ROOT / "docs" / "theory" / "norm_effect.md"

sys.path.append(str(ROOT / "docs" / "_ext"))
claim_text = importlib.import_module("claim_text")
gallery_text = importlib.import_module("gallery_text")


def named_by(figure: str) -> set[str]:
    """Claims that a figure, or its experiment, has in its text, and one that has its name."""
    paths = (ROOT / folder / f"{figure}.py" for folder in ("figures", "simulations"))
    source = "".join(path.read_text() for path in paths if path.exists())
    return set(re.findall(r"normtheory\.claims\.(\w+)", source)) | {figure} & set(claims.list())


def test_claims_are_shown_by_figures_that_there_are() -> None:
    for claim in CLAIMS:
        assert set(claim.shown_by) <= set(figures.names()), claim.name
        assert len(set(claim.shown_by)) == len(claim.shown_by), claim.name


@pytest.mark.parametrize("figure", figures.names())
def test_a_figure_of_a_claim_is_named_by_it(figure: str) -> None:
    showing = {claim.name for claim in CLAIMS if figure in claim.shown_by}
    assert named_by(figure) <= showing


def test_norms_that_grow_by_frequency_show_the_claim_of_that_name() -> None:
    assert "quartic_growth" in claims.get("quartic_growth").shown_by
    assert claims.get("norm_growth").shown_by == ("gradient_field",)  # one step, no frequency


def drawn(folder: Path, *names: str) -> Path:
    """A folder in which figures of these names were drawn."""
    for name in names:
        Image.new("1", (1, 1)).save(folder / f"{name}.png")
    return folder


def pictures(page: str) -> list[str]:
    """The figures that a page shows."""
    return [Path(target).stem for target in re.findall(r"```\{image\} (\S+)", page)]


def test_the_page_of_a_claim_shows_what_it_says(tmp_path: Path) -> None:
    claim = dataclasses.replace(
        claims.get("norm_effect"), shown_by=("step_change", "uniformity"), proof=dict
    )
    folder = drawn(tmp_path, "norm_effect", "step_change")  # uniformity isn't drawn
    page = claim_text.claim_page(claim, [], PAGE, folder)
    assert pictures(page) == ["step_change"]
    assert re.findall(r"python -m figures (\w+)", page) == ["step_change"]
    files = re.findall(r"\{download\}`.+? <(.+?)>`", page.partition("## Files\n")[2])
    assert [name for name in files if "tests" not in name] == [
        "../../normtheory/claims/norm_effect.py",
        "../../figures/step_change.py",
        "../../simulations/uniformity.py",
        "../../figures/uniformity.py",
    ]


def test_the_gallery_tells_figures_of_claims_from_those_on_their_own(tmp_path: Path) -> None:
    folder = drawn(tmp_path, "density", "equilibria", "scaling", "gradient_field")
    page = gallery_text.gallery(CLAIMS, folder, PAGE)
    shown, alone = page.split("## On their own\n")
    assert pictures(shown) == ["equilibria", "gradient_field"]
    assert pictures(alone) == ["density", "scaling"]
    assert re.findall(r"\{ref\}`[^`]+ <(\w+)>`", shown) == [
        "momentum_equilibrium",
        "adamw_equilibrium",
        "adam_equilibrium",
        "lion_equilibrium",
        "cosine_gradient",
        "norm_growth",
    ]
    assert "{ref}" not in alone
    assert re.findall(r"`python -m figures (\w+)`", page) == [
        "equilibria",
        "gradient_field",
        "density",
        "scaling",
    ]
