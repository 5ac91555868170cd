"""What the book of claims says, as MyST text: its chapters and a page for every claim."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path

import claim_uses
from page_parts import ROOT, folded, picture, row, source_link

from normtheory import claims
from normtheory.claims import Check, Claim
from normtheory.claims._chapters import CHAPTERS

_LINE = 110  # characters of LaTeX that fit on a line, more or less


def formula(statement: str) -> str:
    """A statement of several formulas that would not fit on one line, one below the other."""
    if len(statement) <= _LINE or r"\begin" in statement:
        return statement
    wide = re.split(r"\\qquad|\\\\", statement)
    parts = [piece for part in wide for piece in _pieces(part)]
    return "\\begin{gathered}\n" + " \\\\[1ex]\n".join(map(str.strip, parts)) + "\n\\end{gathered}"


def _pieces(part: str) -> list[str]:
    """A formula in the pieces between its spaces, as few as fit, if it is too wide for one line."""
    found = [""]
    for piece in part.split(r"\quad"):
        joined = rf"{found[-1]}\quad {piece}" if found[-1] else piece
        if found[-1] and len(joined) > _LINE and found[-1].count("{") == found[-1].count("}"):
            found.append(piece)
        else:
            found[-1] = joined
    return found


def proven(residuals: Iterable[str]) -> str:
    """The names of the residuals, each once with its dimensions."""
    dimensions: dict[str, list[str]] = {}
    for name in residuals:
        # "step, d=3, point 1 of 2": the points are not told apart here.
        what, dimension = re.fullmatch(r"(.*?)(?:, d=(\d+).*)?", name, re.S).groups()  # pyright: ignore
        seen = dimensions.setdefault(what, [])
        if dimension and dimension not in seen:
            seen.append(dimension)
    return "; ".join(f"{n} ($d = {', '.join(d)}$)" if d else n for n, d in dimensions.items())


def tolerances(checks: tuple[Check, ...]) -> list[str]:
    """How exact the checks are, with a reason that they share given once."""
    reasons = {check.reason for check in checks}
    lines: list[str] = []
    for check in checks:
        unit = "eps" if check.unit == "eps" else "relative"
        why = f": {check.reason}" if len(reasons) > 1 else ""
        measured = f"{{ref}}`{check.measurement} <measurement-{check.measurement}>`"
        lines.append(
            f"- {check.name}: `{check.quantity}` of {measured}, to {check.tolerance:g} {unit}{why}"
        )
    if len(reasons) == 1:
        lines += ["", f"Reason for the tolerance: {reasons.pop()}."]
    return lines


def _linked(text: str) -> str:
    """Text in which "claim NAME" leads to that claim."""
    return re.sub(rf"\bclaim ({'|'.join(claims.list())})\b", r"claim {ref}`\1`", text)


def _statement(claim: Claim) -> list[str]:
    lines = ["$$", formula(claim.statement), "$$", "", "It assumes", ""]
    lines += [f"- {_linked(assumption)}" for assumption in claim.assumptions] + [""]
    for condition in claim.conditions:
        sharp = "" if condition.exact else " somewhere"
        lines += [
            f"*Only where* ${condition.region}$: {condition.name}. It fails outside{sharp}; for "
            f"example: {condition.counterexample}.",
            "",
        ]
    return lines


def _proof(claim: Claim, residuals: Iterable[str], page: Path) -> list[str]:
    source = os.path.relpath(ROOT / "normtheory" / "claims" / f"{claim.name}.py", page.parent)
    return folded(
        "Proof: what is exactly zero in sympy, and the code",
        f"{proven(residuals)}.",
        "",
        f"```{{literalinclude}} {source}",
        ":language: python",
        ":start-after: from __future__ import annotations",
        ":end-before: CLAIM = Claim(",
        "```",
    )


def _checks(claim: Claim) -> list[str]:
    lines = [
        "Each formula is compared with automatic differentiation on clouds of points, and a wrong "
        "one is planted, which the comparison must reject.",
        "",
        "| compared | planted error |",
        "| --- | --- |",
        *(row(check.name, check.mistake) for check in claim.checks),
        "",
    ]
    lines += folded("Tolerances and their reasons", *tolerances(claim.checks))
    return [*lines, f"Run it: `normtheory verify --claim {claim.name}`", ""]


def _figures(claim: Claim, drawn: Path, page: Path) -> list[str]:
    lines: list[str] = []
    for name in claim.shown_by:
        if shown := picture(name, drawn, page):
            lines += [*shown, f"Draw it: `python -m figures {name}`", ""]
    return ["## Figures" if len(claim.shown_by) > 1 else "## Figure", "", *lines] if lines else []


def _uses(claim: Claim, page: Path) -> list[str]:
    name = claim.name
    others = [f"{{ref}}`{claims.get(other).title} <{other}>`" for other in claim_uses.claims(name)]
    found = {
        "computed or drawn by": [f"{{py:obj}}`{found}`" for found in claim.implemented_by],
        "rows of `normtheory predict`": [f"`{row}`" for row in claim_uses.predictions(name)],
        "claims that lean on it": others,
        "named by": [source_link(path, page) for path in claim_uses.code(name)],
        "pages": [f"{{doc}}`/{found}`" for found in claim_uses.pages(name)],
    }
    return [f"- {what}: {', '.join(where)}" for what, where in found.items() if where]


def _files(claim: Claim, page: Path) -> list[str]:
    tests = ROOT / "tests" / "normtheory"
    every = [tests / "claims" / "test_proofs.py", tests / "verify" / "test_verify.py"]
    own = [path for path in claim_uses.tests(claim.name) if path not in every]
    shown = [
        ROOT / folder / f"{name}.py"
        for name in claim.shown_by
        for folder in ("simulations", "figures")
    ]
    found = {
        "claim": [ROOT / "normtheory" / "claims" / f"{claim.name}.py"],
        "tests": every + own,
        "experiment and figure": [path for path in shown if path.exists()],
    }
    return [
        f"- {what}: {', '.join(source_link(path, page) for path in files)}"
        for what, files in found.items()
        if files
    ]


def claim_page(claim: Claim, residuals: Iterable[str], page: Path, drawn: Path) -> str:
    """One claim, with the figures that show it as far as they are drawn."""
    lines = [f"({claim.name})=", f"# {claim.title}", "", claim.meaning, ""]
    lines += ["## Statement", "", *_statement(claim)]
    lines += [f"*Name:* `{claim.name}`. *Source:* {claim.source}.", ""]
    lines += ["## Why it holds", "", claim.reason, "", *_proof(claim, residuals, page)]
    lines += ["## What follows", "", claim.consequence, ""]
    lines += _figures(claim, drawn, page)
    lines += ["## Checks", "", *_checks(claim)]
    lines += ["## Where it is used", "", *_uses(claim, page), ""]
    lines += ["## Files", "", *_files(claim, page), ""]
    return "\n".join(lines)


def slug(chapter: str) -> str:
    """The name of a chapter's page."""
    return chapter.lower().replace(" ", "_")


def chapters() -> dict[str, list[Claim]]:
    """The claims by chapter, in the order of the theory."""
    found = map(claims.get, claims.list())
    return {name: list(part) for name, part in itertools.groupby(found, lambda c: c.chapter)}


def contents(found: list[Claim]) -> str:
    """The claims of a chapter, each with what it means."""
    return "\n".join(f"- {{ref}}`{claim.title} <{claim.name}>`. {claim.meaning}" for claim in found)


def chapter_page(chapter: str, found: list[Claim]) -> str:
    """One chapter of the book: what it is about, and its claims."""
    tree = ["```{toctree}", ":hidden:", "", *(claim.name for claim in found), "```"]
    (introduction,) = (c.introduction for c in CHAPTERS.values() if c.name == chapter)
    return "\n".join([f"# {chapter}", "", introduction, "", contents(found), "", *tree, ""])


def index() -> str:
    """The contents of the book: its chapters and what the claims in them mean."""
    found = chapters()
    lines = ["```{toctree}", ":hidden:", "", *(f"theory/{slug(name)}" for name in found), "```", ""]
    for name, part in found.items():
        lines += [f"## {{doc}}`theory/{slug(name)}`", "", contents(part), ""]
    return "\n".join(lines)
