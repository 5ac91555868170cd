"""``normtheory verify``: every claim, proven and measured."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from normtheory._command import FAILED
from normtheory._workers import cores
from normtheory.cli._options import UsageError, integer

CLAIMS_A_PROCESS = 5
"""A process takes as long to start as to verify a claim: fewer are not worth one."""


def verify(
    claim: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Verify this claim only; may be given several times."),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Print names and titles of the claims, and end.")
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, callback=integer, help="Seed of the point clouds.")
    ] = 0,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            callback=integer,
            help="Processes that share the claims; by default as many as there are cores, and "
            f"{CLAIMS_A_PROCESS} claims for each.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Prove every claim in sympy and check it against automatic differentiation.

    Example: normtheory verify --claim norm_growth --json
    """
    # Imported late: --help should not wait for JAX and sympy.
    from normtheory import claims

    try:
        chosen = [claims.get(name) for name in claim or claims.list()]
    except ValueError as error:
        raise UsageError(str(error)) from None
    if listed:
        titles = {found.name: found.title for found in chosen}
        width = max(map(len, titles))
        lines = [f"{name:<{width}}  {title}" for name, title in titles.items()]
        typer.echo(json.dumps(titles, indent=2) if as_json else "\n".join(lines))
        return
    from normtheory.verify import verify as run

    jobs = jobs or max(min(cores(), len(chosen) // CLAIMS_A_PROCESS), 1)
    report = run(claim or None, seed=seed, progress=True, jobs=jobs)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2, allow_nan=False))
    else:
        typer.echo(report.table())
    raise typer.Exit(0 if report.passed else FAILED)
