"""Two directives: `claims` renders the claim objects, `gallery` the figures that were drawn.

The theory page is made from the objects that the library proves and checks, so it can't say
anything else than they do.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import normtheory as nt
from normtheory.claims import Check, Claim

ROOT = Path(__file__).resolve().parents[2]


def link(label: str, path: Path, page: Path) -> str:
    """A download link to a file of the project, which the built pages then carry along."""
    return f"{{download}}`{label} <{os.path.relpath(path, page.parent)}>`"


def formula(statement: str) -> str:
    """A statement of several formulas that would not fit on one line, one below the other."""
    parts = [part.strip() for part in statement.split(r"\qquad")]
    if len(statement) <= 110 or len(parts) == 1 or r"\begin" in statement:
        return statement
    return "\\begin{gathered}\n" + " \\\\[1ex]\n".join(parts) + "\n\\end{gathered}"


def proven(claim: Claim) -> str:
    """The names of the residuals, each once with its dimensions; this runs the proof."""
    dimensions: dict[str, list[str]] = {}
    for name in claim.proof():
        # "step, d=3, point 1 of 2": the points are not told apart here.
        what, dimension = re.fullmatch(r"(.*?)(?:, d=(\d+).*)?", name, re.S).groups()  # pyright: ignore
        seen = dimensions.setdefault(what, [])
        if dimension and dimension not in seen:
            seen.append(dimension)
    return "; ".join(f"{n} ($d = {', '.join(d)}$)" if d else n for n, d in dimensions.items())


def checked(checks: tuple[Check, ...]) -> list[str]:
    """The checks, with a reason that they share given once."""
    reasons = {check.reason for check in checks}
    lines: list[str] = []
    for check in checks:
        unit = "eps" if check.unit == "eps" else "relative"
        why = f" ({check.reason})" if len(reasons) > 1 else ""
        lines.append(
            f"- {check.name}, to {check.tolerance:g} {unit}{why}; must reject: {check.mistake}"
        )
    if len(reasons) == 1:
        lines += ["", f"Reason for the tolerance: {reasons.pop()}."]
    return lines


def claim_page(claim: Claim, page: Path) -> str:
    """One claim as MyST text."""
    lines = [f"({claim.name})=", f"## {claim.title}", "", "$$", formula(claim.statement), "$$", ""]
    lines += [f"*Source:* {claim.source}. *Name:* `{claim.name}`.", ""]
    lines += [f"*Assumes* {'; '.join(claim.assumptions)}.", ""]
    lines += [f"*Proven* exactly in sympy: {proven(claim)}.", ""]
    lines += ["*Checked* against automatic differentiation on clouds of points:", ""]
    lines += [*checked(claim.checks), ""]
    for condition in claim.conditions:
        lines += [
            f"*Only where* ${condition.region}$: {condition.name}. Outside, for example: "
            f"{condition.counterexample}.",
            "",
        ]
    if claim.implemented_by:
        names = ", ".join(f"{{py:obj}}`{name}`" for name in claim.implemented_by)
        lines += [f"*Computed or drawn by* {names}", ""]
    files = {
        "claim": ROOT / "normtheory" / "claims" / f"{claim.name}.py",
        "experiment": ROOT / "simulations" / f"{claim.name}.py",
        "figure": ROOT / "figures" / f"{claim.name}.py",
    }
    found = [link(kind, path, page) for kind, path in files.items() if path.exists()]
    lines += ["*Files:* " + " · ".join(found), ""]
    drawn = ROOT / "docs" / "_figures" / f"{claim.name}.png"
    if drawn.exists():
        lines += [f"![{claim.title}]({os.path.relpath(drawn, page.parent)})", ""]
    return "\n".join(lines)


class Claims(SphinxDirective):
    """All claims, in the order of the theory."""

    def run(self) -> list[nodes.Node]:
        """Render the claim objects."""
        page = Path(self.env.doc2path(self.env.docname))
        for folder in ("normtheory/claims", "simulations", "figures"):
            for path in (ROOT / folder).glob("*.py"):
                self.env.note_dependency(str(path))
        text = "\n\n".join(claim_page(nt.claims.get(name), page) for name in nt.claims.list())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def caption(script: Path) -> str:
    """What a figure's file says about itself."""
    return ast.get_docstring(ast.parse(script.read_text())) or script.stem


class Gallery(SphinxDirective):
    """All figures in a folder, with what their files say about them."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Show every drawn figure."""
        page = Path(self.env.doc2path(self.env.docname))
        drawn = sorted((page.parent / self.arguments[0]).glob("*.png"))
        if not drawn:
            raise self.error("no figures: run `python -m figures --output docs/_figures` first")
        lines: list[str] = []
        for picture in drawn:
            script = ROOT / "figures" / f"{picture.stem}.py"
            self.env.note_dependency(str(script))
            words = picture.stem.replace("_", " ").capitalize()
            lines += [f"## {words}", "", caption(script), ""]
            lines += [f"![{words}]({os.path.relpath(picture, page.parent)})", ""]
            moving = picture.with_suffix(".gif")
            if moving.exists():
                lines += [f"![{words}, moving]({os.path.relpath(moving, page.parent)})", ""]
            pdf = picture.with_suffix(".pdf")
            files = [link(f"figures/{script.name}", script, page), link(pdf.name, pdf, page)]
            lines += [" · ".join(files), ""]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("claims", Claims)
    app.add_directive("gallery", Gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
