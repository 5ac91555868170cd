"""Configurations that travel with the package, to start one's own from."""

from __future__ import annotations

from importlib.resources import files

import typer

from normtheory.cli._options import UsageError

_FOLDER = files("normtheory.cli") / "examples"

NAMES = sorted(path.name.removesuffix(".toml") for path in _FOLDER.iterdir())


def show(name: str | None) -> None:
    """Print an example and end the command; nothing for None."""
    if name is None:
        return
    if name not in NAMES:
        raise UsageError(f"--example: expected one of {', '.join(NAMES)}, got {name!r}")
    typer.echo((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"), nl=False)
    raise typer.Exit()
