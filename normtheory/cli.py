"""The command line: ``normtheory verify``.

Exit status: 0 done, 1 a check failed, 2 bad usage, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

app = typer.Typer(
    help="Theory and simulation of embedding norms in self-supervised learning.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

FAILED, BAD_USAGE, INTERRUPTED = 1, 2, 130


@app.callback()
def _root() -> None:
    # Without a callback typer would turn the only command into the whole program.
    """Theory and simulation of embedding norms in self-supervised learning."""


@app.command()
def verify(
    claim: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Verify this claim only; may be given several times."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the point clouds.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Prove every claim in sympy and check it against automatic differentiation.

    Example: normtheory verify --claim norm_growth --json
    """
    # Imported late: --help should not wait for JAX and sympy.
    from normtheory import claims

    for name in claim or []:
        try:
            claims.get(name)
        except ValueError as error:
            raise _bad_usage(str(error)) from None
    from normtheory.verify import verify as run

    report = run(claim or None, seed=seed, progress=True)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2, allow_nan=False))
    else:
        typer.echo(report.table())
    raise typer.Exit(0 if report.passed else FAILED)


def _bad_usage(message: str) -> typer.Exit:
    """One line on standard error and exit status 2."""
    typer.echo(f"normtheory: {message}", err=True)
    return typer.Exit(BAD_USAGE)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: Arguments after the program's name; those of the process by default.
    """
    command = typer.main.get_command(app)
    try:
        # Out of standalone mode errors come back here, to be told in one line.
        status = command.main(arguments, prog_name="normtheory", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        # Usage errors, told by their method: their class moves between versions of typer.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        typer.echo(f"normtheory: {message()}", err=True)
        status = BAD_USAGE
    if status == INTERRUPTED:
        # Some versions of typer hand this status back and say nothing.
        typer.echo("normtheory: interrupted", err=True)
    sys.exit(status or 0)
