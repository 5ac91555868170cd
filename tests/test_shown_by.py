"""A claim says which figures show it, and the pages go by that."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from pathlib import Path

import pytest

import figures
from normtheory import claims

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = [claims.get(name) for name in claims.list()]
PAGE = ROOT / "docs" / "theory.md"

_spec = importlib.util.spec_from_file_location("text", ROOT / "docs" / "_ext" / "claim_text.py")
assert _spec
assert _spec.loader
text = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(text)


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
        (folder / f"{name}.png").touch()
    return folder


def pictures(page: str) -> list[str]:
    """The figures that a page shows."""
    return [Path(target).stem for target in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page)]


def test_the_theory_page_shows_what_a_claim_says(tmp_path: Path) -> None:
    claim = dataclasses.replace(
        claims.get("norm_effect"), shown_by=("step_change", "uniformity"), proof=dict
    )
    folder = drawn(tmp_path, "norm_effect", "step_change")  # uniformity isn't drawn
    page = text.claim_page(claim, PAGE, folder)
    assert pictures(page) == ["step_change"]
    files = re.findall(r"\{download\}`(.+?) <(.+?)>`", page)
    assert files == [
        ("claim", "../normtheory/claims/norm_effect.py"),
        ("figure step_change", "../figures/step_change.py"),
        ("experiment uniformity", "../simulations/uniformity.py"),
        ("figure uniformity", "../figures/uniformity.py"),
    ]


def test_the_gallery_tells_figures_of_claims_from_those_on_their_own(tmp_path: Path) -> None:
    folder = drawn(tmp_path, "density", "equilibria", "scaling", "gradient_field")
    page = text.gallery(CLAIMS, folder, PAGE)
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
