"""What the pages say of claims and figures, as MyST text.

Which figure belongs to which claim the claim says (``shown_by``), not the names of files.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

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


def picture(name: str, drawn: Path, page: Path) -> list[str]:
    """A figure as it was drawn into a folder; nothing where it was not."""
    png = drawn / f"{name}.png"
    return [f"![{words(name)}]({os.path.relpath(png, page.parent)})", ""] if png.exists() else []


def claim_page(claim: Claim, page: Path, drawn: Path) -> str:
    """One claim, with the figures that show it as far as they are drawn."""
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
    files = [link("claim", ROOT / "normtheory" / "claims" / f"{claim.name}.py", page)]
    for name in claim.shown_by:
        for kind, folder in (("experiment", "simulations"), ("figure", "figures")):
            path = ROOT / folder / f"{name}.py"
            files += [link(f"{kind} {name}", path, page)] if path.exists() else []
    lines += ["*Files:* " + " · ".join(files), ""]
    for name in claim.shown_by:
        lines += picture(name, drawn, page)
    return "\n".join(lines)


def words(name: str) -> str:
    """The name of a figure as a heading."""
    return name.replace("_", " ").capitalize()


def caption(script: Path) -> str:
    """What a figure's file says about itself."""
    return ast.get_docstring(ast.parse(script.read_text())) or script.stem


def figure_entry(name: str, claims: list[Claim], drawn: Path, page: Path) -> str:
    """One drawn figure of the gallery, and the claims that it shows."""
    script = ROOT / "figures" / f"{name}.py"
    lines = [f"### {words(name)}", "", caption(script), "", *picture(name, drawn, page)]
    moving = drawn / f"{name}.gif"
    if moving.exists():
        lines += [f"![{words(name)}, moving]({os.path.relpath(moving, page.parent)})", ""]
    if claims:
        shown = ", ".join(f"{{ref}}`{claim.title} <{claim.name}>`" for claim in claims)
        lines += [f"*Shows* {shown}.", ""]
    pdf = drawn / f"{name}.pdf"
    lines += [" · ".join([link(f"figures/{name}.py", script, page), link(pdf.name, pdf, page)]), ""]
    return "\n".join(lines)


def gallery(claims: list[Claim], drawn: Path, page: Path) -> str:
    """All figures in a folder: those that show claims, then those that stand on their own."""
    entries: dict[str, list[str]] = {"Claims": [], "On their own": []}
    for name in sorted(png.stem for png in drawn.glob("*.png")):
        shown = [claim for claim in claims if name in claim.shown_by]
        heading = "Claims" if shown else "On their own"
        entries[heading].append(figure_entry(name, shown, drawn, page))
    parts = [(f"## {heading}", *found) for heading, found in entries.items() if found]
    return "\n\n".join(text for part in parts for text in part)
