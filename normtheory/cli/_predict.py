"""``normtheory predict``: the closed forms, from the numbers of a training run."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

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
    UsageError,
    integer,
)


def predict(
    norm: Annotated[
        list[float], typer.Option(help="Norm of the embedding, ρ > 0; may be given several times.")
    ],
    learning_rate: Annotated[
        float,
        typer.Option(help="Of the optimizer; without a mean over a batch, the rate one pair sees."),
    ],
    optimizer: Optimizer = "sgd",
    momentum: Momentum = None,
    beta_1: Beta1 = None,
    beta_2: Beta2 = None,
    epsilon: Epsilon = None,
    coupled: Coupled = None,
    weight_decay: Annotated[float, typer.Option(help="Of the optimizer, >= 0.")] = 0.0,
    batch_size: Annotated[
        int | None,
        typer.Option(callback=integer, help="Pairs that the loss runs over; with --reduction."),
    ] = None,
    reduction: Reduction = None,
    temperature: Temperature = None,
    scale: Annotated[float | None, typer.Option(help="1/τ instead.")] = None,
    slope: Annotated[
        float | None, typer.Option(help="Measured root mean square of ‖z‖‖∇L‖.")
    ] = None,
    dimension: Annotated[
        int | None, typer.Option(callback=integer, help="Of the embeddings, d >= 2.")
    ] = None,
    lag: Annotated[
        int | None,
        typer.Option(callback=integer, help="How many steps old a queue's or cache's copies are."),
    ] = None,
    norm_j: Annotated[
        float | None, typer.Option(help="Norm of its partner, ρ_j; the same by default.")
    ] = None,
    angle: Annotated[
        float, typer.Option(help="Starting angle of the pair in [0, π], radians.")
    ] = math.pi / 2,
    tolerance: Tolerance = 1e-3,
    gradscale: Annotated[float, typer.Option(help="Power of GradScale.")] = 0.0,
    stop_gradient: Annotated[
        bool, typer.Option("--stop-gradient", help="Only the first point of the pair moves.")
    ] = False,
    loss: Annotated[
        str | None,
        typer.Option(
            metavar="info_nce|clip|nt_xent|siglip", help="For its floor, or SigLIP's bias."
        ),
    ] = None,
    negatives: Annotated[
        int | None,
        typer.Option(
            callback=integer, help="That a partner is told from; the rest of the batch by default."
        ),
    ] = None,
    alignment: Annotated[
        float, typer.Option(help="Mean cosine of partners at which the floor is asked for.")
    ] = 1.0,
    margin: Annotated[
        float | None,
        typer.Option(help="Measured cosine with the right partner less that with any other."),
    ] = None,
    wrong: Annotated[
        float | None, typer.Option(help="Rate of wrong partners; with --margin.")
    ] = None,
    cosine: Annotated[
        float, typer.Option(help="Of all pairs at the start, for SigLIP's bias.")
    ] = 0.0,
    scale_rate: Annotated[
        float | None, typer.Option(help="Of the logarithm of the scale, for the modality gap.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Print what the theory says in closed form of a training run with these numbers.

    Example: normtheory predict --norm 10 --learning-rate 10 --batch-size 500 --reduction mean
    --dimension 20
    """
    options: dict[str, Any] = dict(locals())  # every option but these has its name in Python
    norms, _ = options.pop("norm"), options.pop("as_json")
    import normtheory as nt

    try:
        found = nt.predict(norms if len(norms) > 1 else norms[0], **options)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None
    typer.echo(found.to_json() if as_json else found.table())
