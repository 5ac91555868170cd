"""Parts of the report about what the embeddings are compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from normtheory._text import shown
from normtheory.diagnosis._change import ChangeSummary
from normtheory.diagnosis._findings import Findings
from normtheory.diagnosis._parts import WIDEST, Section, Table, brief, lines_of, number
from normtheory.diagnosis._popularity import Popularity
from normtheory.diagnosis._proxy import ProxySummary
from normtheory.diagnosis._retrieval import RetrievalSummary
from normtheory.diagnosis._tokens import TokenSummary


def _proxy(found: ProxySummary) -> Section:
    tables, notes = [], []
    if found.covariates:
        header: tuple[str, ...] = ("covariate", "with the norm")
        rows: list[tuple[str, ...]] = [
            (shown(row.name, WIDEST), brief(row.norm)) for row in found.covariates
        ]
        if found.norm_and_target is not None:
            header = (*header, "with the target", "norm and target, it held fixed")
            rows = [
                (*start, brief(row.target), brief(row.alone))
                for start, row in zip(rows, found.covariates, strict=True)
            ]
        tables = [Table("Covariates, one by one", header, rows, "Spearman ρ")]
    if found.verdict is None:
        notes.append("To be told whether the norm is a signal or a proxy for these, give a target.")
    return Section("proxy", "Signal or proxy", lines_of(found), tables, notes)


def _popularity(found: Popularity) -> Section:
    header = ("q", "free embeddings under", "in the interval")
    answers = {True: "yes", False: "no", None: "-"}
    rows = [(number(law.exponent), law.optimizers, answers[law.fits]) for law in found.laws]
    table = Table(
        "Powers of theory",
        header,
        rows,
        "nt.equilibrium.frequency_exponent; claim norm_and_frequency",
    )
    notes = []
    footnotes = [
        "Dense Adam and AdamW follow no one power: there the frequency shows only in embeddings "
        "seen less often than in a share 1-β₂ of the steps (nt.equilibrium.adamw_norm)."
    ]
    if found.why_not:
        notes.append(f"No interval: {found.why_not}.")
    return Section("popularity", "Norm and frequency", lines_of(found), [table], notes, footnotes)


def _change(found: ChangeSummary) -> Section:
    notes = []
    footnotes = [
        "Exact for checkpoints one update apart, where the norm is that of free embeddings under "
        "such pulls; of checkpoints further apart it is right if pulls across are fresh in every "
        "update, and too large if they last."
    ]
    if found.why_not:
        notes.append(f"{found.why_not[0].upper()}{found.why_not[1:]}.")
    return Section("change", "Since the earlier checkpoint", lines_of(found), [], notes, footnotes)


def _tokens(found: TokenSummary) -> Section:
    places = [(str(p.position), str(p.n), f"{p.ratio:.2f}") for p in found.positions]
    largest = [
        (str(t.row), str(t.position), number(t.norm), f"{t.ratio:.2f}") for t in found.largest
    ]
    tables = [
        Table(
            "Tokens furthest above their sample",
            ("row", "position", "norm", "/ median of the sample"),
            largest,
            "ratio of ‖z‖",
        )
    ]
    notes = ["All other parts are about the mean over the tokens of each sample, padding left out."]
    if places:
        header = ("position", "samples", "median norm / that of all")
        tables.insert(0, Table("Positions that stand out", header, places, "beyond a factor of 2"))
    else:
        notes.insert(0, "No position stands out by a factor of 2.")
    return Section("tokens", "Tokens", lines_of(found), tables, notes)


def _retrieval(found: RetrievalSummary) -> Section:
    note = (
        "A dot product ranks what is found by its norm too; that of the query changes no ranking."
    )
    return Section("retrieval", "Cosine or dot product", lines_of(found), [], footnotes=[note])


_PARTS: dict[str, Callable[[Any], Section]] = {
    "retrieval": _retrieval,
    "proxy": _proxy,
    "popularity": _popularity,
    "change": _change,
    "tokens": _tokens,
}


def beside(report: Findings) -> list[Section]:
    """The parts that there is something to say in."""
    found = {name: getattr(report, name) for name in _PARTS}
    return [_PARTS[name](summary) for name, summary in found.items() if summary is not None]
