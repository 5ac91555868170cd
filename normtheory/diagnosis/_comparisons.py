"""Parts of the report about what else is known: covariates and a target."""

from __future__ import annotations

from normtheory._text import shown
from normtheory.diagnosis._parts import WIDEST, Section, Table, brief, lines_of
from normtheory.diagnosis._proxy import ProxySummary


def compare_proxy(found: ProxySummary | None) -> list[Section]:
    """The norm beside covariates and a target."""
    if found is None:
        return []
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
    return [Section("proxy", "Signal or proxy", lines_of(found), tables, notes)]
