"""``normtheory predict``: the closed forms for one pair, from the numbers of a training run."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import normtheory as nt


@dataclass(frozen=True)
class Prediction:
    """One number of the answer.

    Attributes:
        name: what is predicted, as a key.
        value: the number; None where there is no such number.
        unit: "steps", "radians", … or "" for a pure number.
        formula: how it was found, in words and symbols.
        claim: the claim that states it.
    """

    name: str
    value: float | None
    unit: str
    formula: str
    claim: str


def predictions(
    norm: float,
    learning_rate: float,
    *,
    norm_j: float | None = None,
    batch_size: int | None = None,
    reduction: str = "sum",
    angle: float = math.pi / 2,
    tolerance: float = 1e-3,
    gradscale: float = 0.0,
    weight_decay: float = 0.0,
    dimension: int | None = None,
    stop_gradient: bool = False,
) -> list[Prediction]:
    """Everything that the theory says in closed form about an attracted pair.

    Args:
        norm: ρ_i > 0.
        learning_rate: the optimizer's rate; with ``batch_size`` and ``reduction="mean"`` it is
            divided by that, and otherwise is γ, the rate that one pair sees.
        norm_j: ρ_j; equal to ρ_i by default.
        batch_size: number of pairs that the loss runs over.
        reduction: "mean" or "sum", of the loss over the batch.
        angle: starting angle in [0, π], radians.
        tolerance: ε: converged where the cosine is at least 1 - ε.
        gradscale: power p of GradScale.
        weight_decay: the optimizer's λ >= 0: embeddings shrink by 1 - learning_rate·λ a step;
            :func:`normtheory.pair_decay` says what that is for one pair.
        dimension: d, for random pairs and fresh partners on the sphere.
        stop_gradient: only the first point moves.

    Returns:
        The predictions, in the order in which a reader wants them.

    Raises:
        TypeError, ValueError: as the functions of one pair; a mean without a batch
            size.
    """
    if reduction == "mean" and batch_size is None:
        raise ValueError("reduction 'mean' needs the batch size that the loss is a mean over")
    rate = nt.pair_rate(learning_rate, batch_size or 1, reduction)
    decay = nt.pair_decay(weight_decay, batch_size or 1, reduction)
    second = norm if norm_j is None else norm_j
    x_i = float(nt.effective_learning_rate(rate, norm, gradscale=gradscale))
    x_j = (
        0.0
        if stop_gradient
        else float(nt.effective_learning_rate(rate, second, gradscale=gradscale))
    )
    with warnings.catch_warnings():
        # The answer says by itself where the flow is good.
        warnings.simplefilter("ignore", nt.FlowApproximationWarning)
        steps = float(
            nt.steps_to_converge(
                angle,
                norm,
                second,
                rate,
                tolerance=tolerance,
                gradscale=gradscale,
                stop_gradient=stop_gradient,
            )
        )
    step = nt.pair_step(
        nt.PairState(angle, norm, second),
        rate,
        gradscale=gradscale,
        weight_decay=decay,
        stop_gradient=stop_gradient,
    )
    found = [
        Prediction("pair_rate", rate, "", "γ, the rate one pair sees", "step_map"),
        Prediction("effective_learning_rate", x_i, "", "x = γρ^(p-2)", "step_map"),
        Prediction(
            "steps_to_converge",
            steps,
            "steps",
            f"gradient flow, to a cosine of 1 - {tolerance:g}; "
            + ("good to a few percent" if max(x_i, x_j) <= 0.1 else "a rough guide: x > 0.1"),
            "norm_effect",
        ),
        Prediction(
            "stability",
            x_i + x_j,
            "",
            "x_i + x_j: < 1 contracts without a change of sign, < 2 contracts, above it grows "
            "the norm first",
            "stability",
        ),
        Prediction("next_angle", float(step.angle), "radians", "exact step map", "step_map"),
        Prediction("next_norm", float(step.norm_i), "", "exact step map", "norm_growth"),
    ]
    if dimension is not None and dimension > 3 and norm == second and not stop_gradient:
        random = float(
            nt.random_pair_steps(dimension, norm, rate, tolerance=tolerance, gradscale=gradscale)
        )
        found.append(
            Prediction(
                "random_pair_steps",
                random,
                "steps",
                f"mean cosine of random pairs in d = {dimension}: (ρ^(2-p)/4γ) ln[2(d-1)/((d-3)ε)]",
                "norm_effect",
            )
        )
    if decay > 0:
        square = 1.0 if dimension is None else (dimension - 1) / dimension
        balance = relaxation = None
        if gradscale < 2:
            balance = float(nt.equilibrium_norm(rate, decay, square, gradscale=gradscale))
            relaxation = 1 / ((4 - 2 * gradscale) * rate * decay)
        turn = float(nt.equilibrium_angular_step(rate, decay))
        found += [
            Prediction(
                "equilibrium_norm",
                balance,
                "",
                f"fresh partners with E[sin²φ] = {square:g}: ρ^(4-2p) = γE[sin²φ]/(λ(2-γλ))",
                "weight_decay",
            ),
            Prediction(
                "equilibrium_angular_step",
                turn,
                "radians",
                "arccos(1 - γλ), γλ = learning_rate · weight_decay",
                "weight_decay",
            ),
            Prediction(
                "relaxation_steps",
                relaxation,
                "steps",
                "1/((4-2p)γλ), the e-folding time of ρ^(4-2p)",
                "weight_decay",
            ),
        ]
    return found


def as_json(found: list[Prediction]) -> dict[str, Any]:
    """The predictions by name; infinities, which JSON doesn't know, as None."""
    return {
        p.name: {
            "value": p.value if p.value is not None and math.isfinite(p.value) else None,
            "unit": p.unit,
            "formula": p.formula,
            "claim": p.claim,
        }
        for p in found
    }


def table(found: list[Prediction]) -> str:
    """The predictions as aligned text."""
    shown = ["none" if p.value is None else f"{p.value:.6g} {p.unit}".strip() for p in found]
    wide = max(len(p.name) for p in found)
    values = max(len(value) for value in shown)
    return "\n".join(
        f"{p.name:<{wide}}  {value:>{values}}  {p.formula} [{p.claim}]"
        for p, value in zip(found, shown, strict=True)
    )
