"""What the options of the commands have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from normtheory._command import LARGEST


class UsageError(Exception):
    """Bad usage that an option's type can't tell; the message is one line."""

    def format_message(self) -> str:
        """The message, by the name that the command line's own errors have for it."""
        return " ".join(str(self).split())


def integer(value: int | None) -> int | None:
    """An option that is an integer, of 64 bits as in a configuration."""
    if value is not None and not -LARGEST <= value <= LARGEST:
        raise typer.BadParameter(f"expected an integer up to {LARGEST}")
    return value


# Of the training run that ``predict`` and ``diagnose`` are told about.
Optimizer = Annotated[
    str, typer.Option(metavar="sgd|momentum|adam|adamw|lion", help="adam has its decay as L2.")
]
Momentum = Annotated[float | None, typer.Option(help="Of the optimizer momentum; 0.9 by default.")]
Beta1 = Annotated[
    float | None, typer.Option("--beta-1", help="Of Adam, AdamW and Lion; 0.9 by default.")
]
Beta2 = Annotated[
    float | None, typer.Option("--beta-2", help="Likewise; 0.999 by default, of Lion 0.99.")
]
Epsilon = Annotated[float | None, typer.Option(help="Of Adam and AdamW; 0 by default.")]
Coupled = Annotated[
    bool | None,
    typer.Option("--coupled/--decoupled", help="Weight decay in the gradient, or apart from it."),
]
Temperature = Annotated[
    float | None, typer.Option(help="Of the loss, τ, unless the rate was divided by it.")
]
Reduction = Annotated[
    str | None, typer.Option(metavar="mean|sum", help="Over the pairs of the loss.")
]
Tolerance = Annotated[float, typer.Option(help="Converged at cosine >= 1 - tolerance.")]
