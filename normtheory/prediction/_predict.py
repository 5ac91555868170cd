"""From the numbers of a training run to all that the theory says of it."""

from __future__ import annotations

import math
from typing import Any

from normtheory._arrays import check_count
from normtheory._range import quiet
from normtheory.prediction._contrast import Contrast, contrast_rows
from normtheory.prediction._equilibrium import equilibrium_rows
from normtheory.prediction._pair import pair_rows
from normtheory.prediction._prediction import Prediction
from normtheory.prediction._setting import setting


@quiet
def predict(
    norm: Any,
    learning_rate: float,
    *,
    optimizer: str = "sgd",
    momentum: float | None = None,
    beta_1: float | None = None,
    beta_2: float | None = None,
    epsilon: float | None = None,
    coupled: bool | None = None,
    weight_decay: float = 0.0,
    batch_size: int | None = None,
    reduction: str | None = None,
    temperature: float | None = None,
    scale: float | None = None,
    slope: float | None = None,
    dimension: int | None = None,
    lag: int | None = None,
    norm_j: Any = None,
    angle: float = math.pi / 2,
    tolerance: float = 1e-3,
    gradscale: float = 0.0,
    stop_gradient: bool = False,
    loss: str | None = None,
    negatives: int | None = None,
    alignment: float = 1.0,
    margin: float | None = None,
    wrong: float | None = None,
    cosine: float = 0.0,
    scale_rate: float | None = None,
) -> Prediction:
    """All that the theory says in closed form of a training run with these numbers.

    Rows say what they are, by which formula and claim, where that is exact or to leading order, and
    warn where it does not apply to the numbers given. Where no theory is known the row says so. All
    is for embeddings as free parameters; an encoder moves them through shared weights.

    Args:
        norm: ρ > 0 of the embedding, or several.
        learning_rate: η > 0, the optimizer's; with ``batch_size`` and ``reduction="mean"`` a pair
            sees the n-th part of it.
        optimizer: "sgd", "momentum" (heavy ball), "adam" (with L2), "adamw" or "lion".
        momentum: of "momentum", in [0, 1); 0.9 by default.
        beta_1: of the three others, in [0, 1); 0.9 by default.
        beta_2: likewise; 0.999 by default, for Lion 0.99.
        epsilon: ε >= 0 of Adam and AdamW; 0 by default.
        coupled: weight decay in the gradient (``torch.optim.SGD``, the default of "momentum") or
            apart from it (Lion).
        weight_decay: the optimizer's λ >= 0.
        batch_size: n, pairs that the loss runs over.
        reduction: "mean" or "sum", of the loss over them; needed with a batch size.
        temperature: τ > 0 of the loss: a pair is pulled by 1/τ, and the rate it sees has that in
            it. Leave it out if the rate was divided by it.
        scale: b = 1/τ instead.
        slope: s > 0, root mean square of ‖z‖‖∇L‖ of the loss as written, measured; by default that
            of attraction to one fresh partner.
        dimension: d >= 2.
        lag: k >= 1, how many steps ago a queue or cache took its copy of an embedding.
        norm_j: norm of the partner, or one for every norm; the same by default.
        angle: of the pair at the start, in [0, π], radians.
        tolerance: converged where the cosine is at least 1 - tolerance, in (0, 2).
        gradscale: power p of GradScale.
        stop_gradient: only the first embedding of the pair moves.
        loss: "info_nce", "clip" or "nt_xent" for the floor of the loss, "siglip" for its bias.
        negatives: that a partner is told from, >= 1; the other pairs of the batch by default.
        alignment: s in [-1, 1], mean cosine of partners, at which the floor is asked for.
        margin: Δ > 0, cosine with the right partner less that with any other, measured.
        wrong: ε in (0, (n-1)/n), rate of wrong partners; with ``margin``, for the best temperature.
        cosine: c in [-1, 1] of all pairs at the start, for SigLIP's bias.
        scale_rate: γ_s > 0, rate of the logarithm of the scale, for the modality gap.

    Returns:
        The rows; ``str()`` is a table.

    Raises:
        TypeError, ValueError: a number out of range; a batch size without its reduction, or the
            reverse; a number that the optimizer doesn't have; a result beyond the range of floats.

    Reference:
        Every row names its claim.

    Example:
        >>> found = predict(1.0, 1e-3, optimizer="adamw", weight_decay=0.1, dimension=128, lag=1000)
        >>> round(found["equilibrium_norm"].value, 2)
        0.8
        >>> round(found["equilibrium_cosine_after_lag"].value, 3)
        0.906
        >>> predict([1.0, 2.0], 0.1)["stability"].word
        ('stable', 'stable')
    """
    run = setting(
        norm,
        learning_rate,
        optimizer=optimizer,
        momentum=momentum,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        coupled=coupled,
        norm_j=norm_j,
        temperature=temperature,
        scale=scale,
        weight_decay=weight_decay,
        batch_size=batch_size,
        reduction=reduction,
        slope=slope,
        dimension=dimension,
        angle=angle,
        tolerance=tolerance,
        gradscale=gradscale,
        stop_gradient=stop_gradient,
    )
    about = Contrast(loss, negatives, alignment, margin, wrong, cosine, scale_rate)
    if lag is not None:
        check_count("lag", lag, 1)
        lag = int(lag)
    rows = [*pair_rows(run), *equilibrium_rows(run, lag), *contrast_rows(run, about)]
    return Prediction(tuple(run.norm.reshape(-1).tolist()), optimizer, tuple(rows))
