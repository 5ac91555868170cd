"""The command line: ``normtheory verify``, ``predict``, ``simulate`` and ``diagnose``.

Exit status: 0 done, 1 a check failed, a run could not finish or the input can't be used, 2 bad
usage, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from normtheory._command import BAD_USAGE, FAILED, INTERRUPTED, say, status_of
from normtheory._text import shown
from normtheory._version import __version__
from normtheory.cli import _examples
from normtheory.cli._options import (
    Beta1,
    Beta2,
    Coupled,
    Epsilon,
    Momentum,
    Optimizer,
    Reduction,
    Temperature,
    Tolerance,
    integer,
)
from normtheory.cli._predict import predict
from normtheory.cli._verify import verify

__all__ = ["app", "main"]

_PROGRAM = "normtheory"

app = typer.Typer(
    help="Theory and simulation of embedding norms in self-supervised learning.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"{_PROGRAM} {__version__}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Theory and simulation of embedding norms in self-supervised learning.

    Example: normtheory predict --norm 10 --learning-rate 0.1
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command()(verify)
app.command()(predict)


@app.command()
def simulate(
    file: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="Configuration in TOML; see --example.")
    ],
    example: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(_examples.NAMES),
            callback=_examples.show,
            is_eager=True,
            help="Print this configuration, to start from, and end.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Override a key, such as system.learning_rate=0.5; may be given several times.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the result as NetCDF.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the newest checkpoint, or begin without one."),
    ] = False,
    processes: Annotated[
        str | None,
        typer.Option(
            metavar="N|auto",
            envvar="JAX_NUM_PROCESSES",
            help="Processes that run this command together, on all their devices; auto where a "
            "cluster such as Slurm says which. The first one writes the result.",
        ),
    ] = None,
    process_id: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            callback=integer,
            envvar="JAX_PROCESS_ID",
            help="Which of them this one is, from 0.",
        ),
    ] = None,
    coordinator: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            envvar="JAX_COORDINATOR_ADDRESS",
            help="Of process 0, with a free port; for all the same.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Run particles, or a sweep of runs, from a configuration.

    Example: normtheory simulate --example pairs > pairs.toml
    && normtheory simulate pairs.toml --set system.learning_rate=5.0
    """
    from normtheory.cli import _output, _processes
    from normtheory.cli import _simulate as command

    share = _processes.join(processes, process_id, coordinator)

    written = output if share.index == 0 else None
    try:
        with _warnings_in_one_line(), _processes.output_kept(share):
            config = command.config(file, settings or [], share)
            share.together(lambda: _output.prepare(written, file), command.ConfigError)
            found = command.execute(config, resume=resume)
        if written is not None:
            _output.write(found, written)
    except command.ConfigError as error:
        raise _bad_usage(str(error)) from None
    except command.RunError as error:
        raise _failed(str(error)) from None
    if share.index:
        return
    data = json.dumps(_output.to_dict(found), indent=2, allow_nan=False) if as_json else None
    _print(data, _output.table(found), written)


@app.command()
def diagnose(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Embeddings (n, d), before they are normalised: .npy, .npz, .parquet, "
            ".safetensors, .pt, .pth, .h5, .hdf5, .csv, .tsv, .txt, .vec, .bin, .fvecs or .bvecs; "
            "of these .npy and the texts also with .gz.",
        ),
    ],
    key: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Entry or column of FILE that holds the embeddings."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File with the labels; without it, see --labels-key."),
    ] = None,
    labels_key: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Entry or column with the labels, in FILE if there is no --labels. Labels in FILE "
            "are used only if this names them.",
        ),
    ] = None,
    second_view: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File with a second view; without it, see --second-view-key."
        ),
    ] = None,
    second_view_key: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Entry or column of the second view, in FILE if there is no --second-view.",
        ),
    ] = None,
    before: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File with an earlier checkpoint; without it, see --before-key."
        ),
    ] = None,
    before_key: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Entry or column of the earlier checkpoint, in FILE if there is no --before.",
        ),
    ] = None,
    updates: Annotated[
        int, typer.Option(callback=integer, help="Updates since the earlier checkpoint.")
    ] = 1,
    covariate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Entry or column with what else may set the norm, such as a length or a "
            "frequency; may be given several times.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Entry or column with what the norm may tell: right or not, or a quality.",
        ),
    ] = None,
    columns: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File with the covariates and the target, if they aren't in FILE."
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Of the optimizer."),
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="Of the optimizer; needs --learning-rate.")
    ] = None,
    optimizer: Optimizer = "sgd",
    momentum: Momentum = None,
    beta_1: Beta1 = None,
    beta_2: Beta2 = None,
    epsilon: Epsilon = None,
    coupled: Coupled = None,
    temperature: Temperature = None,
    batch_size: Annotated[
        int | None,
        typer.Option(callback=integer, help="Pairs in the loss; with --reduction, predicts steps."),
    ] = None,
    reduction: Reduction = None,
    gradscale: Annotated[float, typer.Option(help="Power of GradScale in use.")] = 0.0,
    tolerance: Tolerance = 1e-3,
    target_rate: Annotated[
        float, typer.Option(help="Effective learning rate that a cut should reach.")
    ] = 0.01,
    target_slowdown: Annotated[
        float, typer.Option(help="Slowdown of the largest norms that GradScale should leave.")
    ] = 2.0,
    neighbours: Annotated[int, typer.Option(callback=integer, help="Neighbours that vote.")] = 10,
    buckets: Annotated[int, typer.Option(callback=integer, help="Buckets of norms.")] = 10,
    sample: Annotated[
        int, typer.Option(callback=integer, help="Most embeddings compared with each other.")
    ] = 5000,
    unexpected: Annotated[
        int, typer.Option(callback=integer, help="Number of smallest norms listed.")
    ] = 10,
    seed: Annotated[int, typer.Option(min=0, callback=integer, help="Seed of that sample.")] = 0,
    drop_bad_rows: Annotated[
        bool,
        typer.Option(
            "--drop-bad-rows", help="Leave out rows that are zero, not finite or incomplete."
        ),
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Also write one HTML page with figures.")
    ] = None,
    formulas: Annotated[
        bool, typer.Option("--formulas", help="Print notes, formulas and sources too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Report on the norms of a matrix of embeddings.

    Example: normtheory diagnose embeddings.npz --labels-key labels --learning-rate 0.5
    --batch-size 256 --reduction mean --html report.html
    """
    from normtheory.cli import _diagnose as command

    options = {
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "optimizer": optimizer,
        "momentum": momentum,
        "beta_1": beta_1,
        "beta_2": beta_2,
        "epsilon": epsilon,
        "coupled": coupled,
        "temperature": temperature,
        "batch_size": batch_size,
        "reduction": reduction,
        "gradscale": gradscale,
        "tolerance": tolerance,
        "target_rate": target_rate,
        "target_slowdown": target_slowdown,
        "neighbours": neighbours,
        "buckets": buckets,
        "sample": sample,
        "unexpected": unexpected,
        "updates": updates,
        "seed": seed,
        "drop_bad_rows": drop_bad_rows,
    }
    inputs = {
        "FILE": file,
        "--labels": labels,
        "--second-view": second_view,
        "--before": before,
        "--columns": columns,
    }
    try:
        report = command.run(
            (file, key),
            (labels, labels_key),
            (second_view, second_view_key),
            (before, before_key),
            command.Known(columns, covariate or [], target),
            command.check(options, html, inputs),
        )
        if html is not None:
            command.write(report, html, file)
    except command.UsageError as error:
        raise _bad_usage(str(error)) from None
    except command.InputError as error:
        raise _failed(str(error)) from None
    _print(report.to_json() if as_json else None, report.text(formulas=formulas), html)


def _print(data: str | None, text: str, written: Path | None) -> None:
    """Print what a program reads, or for a person the text and which file was written."""
    if data is not None:
        typer.echo(data)
    else:
        typer.echo(text if written is None else f"{text}\n\nwritten to {shown(written)}")


def _bad_usage(message: str) -> typer.Exit:
    """One line on standard error and exit status 2."""
    say(_PROGRAM, message)
    return typer.Exit(BAD_USAGE)


def _failed(message: str) -> typer.Exit:
    """One line on standard error and exit status 1."""
    say(_PROGRAM, message)
    return typer.Exit(FAILED)


@contextlib.contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Warnings of the library as one line each, when they come, without a place in its source."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        say(_PROGRAM, f"warning: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def main(arguments: list[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: Arguments after the program's name; those of the process by default.
    """
    sys.exit(status_of(_PROGRAM, lambda: _status(arguments)))


@functools.cache
def _command() -> Any:
    """What :data:`app` declares, as a command: built once."""
    return typer.main.get_command(app)


def _status(arguments: list[str] | None) -> int:
    try:
        # Out of standalone mode errors come back here, to be told in one line.
        return _command().main(arguments, prog_name=_PROGRAM, standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:
        # Usage errors, told by their method: their class moves between versions of typer.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        say(_PROGRAM, message())
        return BAD_USAGE
