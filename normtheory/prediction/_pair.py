"""Rows of one attracted pair, or of an embedding among fresh partners, from the norms of now."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from normtheory import stability
from normtheory._types import Array
from normtheory.flow import (
    FLOW_LIMIT,
    FlowApproximationWarning,
    random_pair_steps,
    steps_to_converge,
)
from normtheory.pair import PairState, effective_learning_rate, pair_step
from normtheory.prediction._row import Row, joined, row, unknown, warned
from normtheory.prediction._setting import Setting

_NO_PAIR = "no closed form: nothing is derived for a pair near alignment under "


def pair_rows(run: Setting) -> list[Row]:
    """Everything that the theory says of an attracted pair."""
    if run.adaptive:
        return _of_steps_of_one_size(run)
    x_i = effective_learning_rate(run.rate, run.norm, gradscale=run.gradscale)
    x_j = effective_learning_rate(run.rate, run.norm_j, gradscale=run.gradscale)
    largest = x_i if run.stop_gradient else np.maximum(x_i, x_j)
    total = x_i if run.stop_gradient else x_i + x_j
    source = "γ" if run.scale is None else "γ = ηb/n" if run.reduction == "mean" else "γ = ηb"
    return [
        row("pair_rate", run.rate, "", f"{source}, the rate one pair sees", "step_map", "exact"),
        row(
            "effective_learning_rate",
            x_i,
            "",
            "x = γρ^(p-2)",
            "step_map",
            "exact: without decay an embedding turns by arctan(x sin φ) in "
            + (
                "the first step; in the long run momentum divides x by 1-α, where it is small"
                if _memory(run)
                else "a step"
            ),
        ),
        *_steps(run, total, largest),
        *_stability(run, total),
        *_next(run),
    ]


def _memory(run: Setting) -> float:
    return run.numbers.get("momentum", 0.0)


def _steps(run: Setting, total: Array, largest: Array) -> list[Row]:
    """Steps of a pair and of random pairs; momentum divides them by 1/(1 − α) while they are small.

    Measured: 0.6 % too many at a tenth of the crossover, 13 % at it.
    """
    alpha = _memory(run)
    crossing = (1 - math.sqrt(alpha)) ** 2
    beyond = (total > crossing) if alpha else np.zeros(total.shape, dtype=bool)
    formula = f"gradient flow, to a cosine of 1 - {run.tolerance:g}"
    if alpha:
        formula += ", times 1-α"
        good = "leading order in x/(1-√α)²: 1 % up to a tenth of x_i + x_j = (1-√α)², 13 % there"
        rough = total > crossing / 3
        claim = "optimizers"
    else:
        good = "leading order in x: a few percent up to x = 0.1"
        rough = largest > FLOW_LIMIT
        claim = "norm_effect"
    poor = joined(
        warned(rough & ~beyond, "a rough guide: " + ("x > 0.1" if not alpha else "near (1-√α)²")),
        warned(beyond, "none where x_i + x_j > (1-√α)²: momentum alone sets the pace, √α a step"),
    )
    with warnings.catch_warnings():
        # The answer says by itself where the flow is good.
        warnings.simplefilter("ignore", FlowApproximationWarning)
        steps = steps_to_converge(
            run.angle,
            run.norm,
            run.norm_j,
            run.rate,
            tolerance=run.tolerance,
            gradscale=run.gradscale,
            stop_gradient=run.stop_gradient,
        )
    answers = {"steps_to_converge": (steps, formula, good)}
    d = run.dimension
    if d is not None and d > 3 and (run.norm == run.norm_j).all() and not run.stop_gradient:
        random = random_pair_steps(
            d, run.norm, run.rate, tolerance=run.tolerance, gradscale=run.gradscale
        )
        formula = f"mean cosine of random pairs in d = {d}: (ρ^(2-p)/4γ) ln[2(d-1)/((d-3)ε)]"
        formula += ", times 1-α" if alpha else ""
        answers["random_pair_steps"] = random, formula, f"{good}, and in ε"
    if beyond.all():
        return [unknown(name, poor, unit="steps", claim=claim) for name in answers]
    return [
        row(
            name,
            np.where(beyond, np.nan, value * (1 - alpha)),
            "steps",
            formula,
            claim,
            validity,
            warning=poor,
            finite=False,
        )
        for name, (value, formula, validity) in answers.items()
    ]


def _stability(run: Setting, total: Array) -> list[Row]:
    """Whether a pair that is nearly aligned closes, and the largest rate at which it does."""
    alpha = _memory(run)
    options: Any = {
        "momentum": alpha,
        "gradscale": run.gradscale,
        "stop_gradient": run.stop_gradient,
    }
    limit = stability.largest_rate(run.norm, run.norm_j, **options)
    smooth = stability.fastest_rate(run.norm, run.norm_j, **options)
    factor = stability.contraction(run.norm, run.norm_j, run.rate, **options)
    words = np.select(
        [run.rate < smooth * (1 + 1e-12), run.rate < limit],
        ["stable", "stable, overshoots"],
        "unstable",
    )
    sides = "x_i" if run.stop_gradient else "x_i + x_j"
    claim = "optimizers" if alpha else "stability"
    near = "exact for a nearly aligned pair without decay"
    grows = "the angle grows, and with it the norms, until the rate is small enough for them"
    if run.gradscale >= 2:
        grows = "the angle grows, and with GradScale of power 2 no growth of norms mends that"
    return [
        row(
            "stability",
            total,
            "",
            f"{sides}: "
            + (
                f"< (1-√α)² = {(1 - math.sqrt(alpha)) ** 2:.4g} contracts without a change of "
                f"sign, < 2(1+α) = {2 * (1 + alpha):g} contracts"
                if alpha
                else "< 1 contracts without a change of sign, < 2 contracts, above it grows the "
                "norm first"
            ),
            claim,
            near,
            warning=warned(run.rate >= limit, f"unstable: {grows}"),
            word=words,
        ),
        row(
            "contraction",
            factor,
            "",
            "larger root of μ² - (1 + α - x_i - x_j)μ + α"
            if alpha
            else f"|1 - {sides.replace('+', '-')}|",
            claim,
            f"{near}: a step multiplies the angle by it, in the long run",
        ),
        row(
            "largest_rate",
            limit * (run.learning_rate / run.rate),
            "",
            f"the optimizer's η at which {sides} = {'2(1+α)' if alpha else '2'}",
            claim,
            near,
        ),
    ]


def _next(run: Setting) -> list[Row]:
    step = pair_step(
        PairState(run.angle, run.norm, run.norm_j),
        run.rate,
        gradscale=run.gradscale,
        weight_decay=run.decay,
        stop_gradient=run.stop_gradient,
    )
    exact = "exact; momentum starts from rest" if _memory(run) else "exact"
    return [
        row("next_angle", step.angle, "radians", "exact step map", "step_map", exact),
        row("next_norm", step.norm_i, "", "exact step map", "norm_growth", exact),
    ]


def _of_steps_of_one_size(run: Setting) -> list[Row]:
    """Adam, AdamW and Lion divide by the size of the gradient: the pace is η/ρ."""
    name, epsilon = run.optimizer, run.numbers.get("epsilon", 0.0)
    kept = "ηλρ" if name == "adam" else "ηλ"
    found: list[Row] = []
    if run.gradscale:
        found.append(unknown("pace", f"no theory is known for {name} with GradScale"))
    else:
        found.append(
            row(
                "pace",
                run.learning_rate / run.norm,
                "",
                "η/ρ: batch, reduction and temperature cancel",
                "scale_theorem",
                f"exact as a law of scale: runs alike in η/ρ, βs and {kept} turn alike; it is not "
                "the angle of a step",
                warning=warned(epsilon > 0, "only where ε is far below the root that it adds to"),
            )
        )
    if name == "lion" and run.dimension is not None:
        most = run.learning_rate * math.sqrt(run.dimension) / run.norm
        found.append(
            row(
                "largest_angular_step",
                np.where(most < 1, np.arcsin(np.minimum(most, 1.0)), np.pi),
                "radians",
                "arcsin(η√d/ρ): every component of a step is ±η",
                "lion_equilibrium",
                "exact as a bound, before decay",
            )
        )
    return [
        *found,
        unknown(
            "steps_to_converge",
            f"no closed form under {name}: only that they depend on η/ρ alone, and grow with ρ/η",
            unit="steps",
            claim="scale_theorem",
        ),
        unknown("stability", _NO_PAIR + name),
        unknown("largest_rate", _NO_PAIR + name),
    ]
