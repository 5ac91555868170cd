"""The library's own functions, held to the same measurements as the claims they implement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import normtheory as nt
from normtheory.claims._claim import Check
from normtheory.claims._contrast import ROUNDING
from normtheory.claims._every_loss import STEEP
from normtheory.verify import _definitions as definitions

_STEP_OF_A_PAIR = (
    "rounding of the angle, which a step at rates x_i, x_j magnifies 1 + x_i + x_j times"
)


def _library(
    function: str, measurement: str, quantity: str, call: Callable[..., Any], **rest: Any
) -> Check:
    """A check of a library function. It needs no planted version: the claim's check has one."""
    return Check(
        name=f"{function} against {measurement}",
        measurement=measurement,
        quantity=quantity,
        formula=call,
        planted=call,
        mistake="none planted",
        **rest,
    )


def _pair_step(part: int) -> Callable[..., Any]:
    """The angle (0) or a norm (1, 2) from pair_step, called once for each kind of row."""

    def call(
        angle: Any,
        norm_i: Any,
        norm_j: Any,
        learning_rate: Any,
        gradscale: Any,
        weight_decay: Any,
        repel: Any,
        one_sided: Any,
    ) -> Any:
        kinds = np.concatenate([gradscale, repel, one_sided], axis=1)
        result = np.empty_like(angle)
        for kind in np.unique(kinds, axis=0):
            rows = (kinds == kind).all(axis=1)
            state = nt.PairState(angle[rows], norm_i[rows], norm_j[rows])
            result[rows] = nt.pair_step(
                state,
                learning_rate[rows],
                gradscale=float(kind[0]),
                weight_decay=weight_decay[rows],
                repel=bool(kind[1]),
                stop_gradient=bool(kind[2]),
            )[part]
        return result

    return call


def _steps(start: Any, target: Any, norm: Any, learning_rate: Any, gradscale: Any) -> Any:
    """steps_to_converge row by row: its tolerance and power are plain numbers."""
    rows = zip(start, target, norm, learning_rate, gradscale, strict=True)
    return np.array(
        [
            nt.steps_to_converge(
                a, r, r, g, tolerance=float(2 * np.sin(t[0] / 2) ** 2), gradscale=float(p[0])
            )
            for a, t, r, g, p in rows
        ]
    )


def _ensemble(angles: Any, norm: Any, learning_rate: Any, tolerance: Any) -> Any:
    found = nt.steps_to_converge(
        angles, norm, norm, learning_rate, tolerance=float(tolerance[0, 0]), ensemble_axis=-1
    )
    return np.asarray(found).reshape(-1, 1)


def _grad_scale(z: Any, y: Any, norm: Any) -> Any:
    """The plain cosine's gradient through grad_scale, with the promised factor ρ^p taken out."""
    power = 1.5

    def loss(points: Any) -> Any:
        return jax.vmap(definitions.cosine)(nt.grad_scale(points, power), jnp.asarray(y)).sum()

    with jax.enable_x64(True):
        return np.asarray(jax.grad(loss)(jnp.asarray(z))) / norm**power


_VARIANTS: dict[str, Any] = {
    "options": {"variants": True},
    "reason": _STEP_OF_A_PAIR,
}
_COUNTS: dict[str, Any] = {
    "unit": "relative",
    "tolerance": 0.02,
    "reason": "leading order in x (at most 0.02), and counts are whole numbers",
}


def _of_loss(kind: str, *roles: str) -> tuple[Check, ...]:
    """The library's closed form of a contrastive loss, on the batches of its claim."""
    return tuple(
        _library(
            f"{kind}_gradient",
            "contrastive",
            "gradient",
            lambda library: library,
            scale=lambda norm, count, temperature: count * temperature * norm,
            reason=ROUNDING,
            options={"kind": kind, "role": role},
        )
        for role in roles
    )


LIBRARY: dict[str, tuple[Check, ...]] = {
    "normtheory.cosine_gradient": (
        _library(
            "cosine_gradient",
            "cosine_pair",
            "gradient",
            lambda z, y: nt.cosine_gradient(z, y),
            scale=lambda norm: norm,
        ),
    ),
    "normtheory.grad_scale": (
        _library(
            "grad_scale",
            "cosine_pair",
            "gradient",
            _grad_scale,
            scale=lambda norm: norm,
        ),
    ),
    "normtheory.losses.LOSSES": (
        _library(
            "every closed form",
            "every_loss",
            "gradient",
            lambda library: library,
            scale=lambda norm, steepness: norm / steepness,
            reason=STEEP,
        ),
    ),
    "normtheory.losses.info_nce_gradient": _of_loss("info_nce", "anchors", "keys"),
    "normtheory.losses.clip_gradient": _of_loss("clip", "both sides"),
    "normtheory.losses.nt_xent_gradient": _of_loss("nt_xent", "views"),
    "normtheory.losses.decoupled_gradient": _of_loss("decoupled", "anchors", "keys"),
    "normtheory.pair_step": (
        _library(
            "pair_step",
            "pair_step",
            "next_angle",
            _pair_step(0),
            scale=lambda x_i, x_j: 1 / (1 + x_i + x_j),
            **_VARIANTS,
        ),
        _library(
            "pair_step (norm i)",
            "pair_step",
            "next_norm_i",
            _pair_step(1),
            scale=lambda next_norm_i, x_i: 1 / next_norm_i / (1 + x_i),
            **_VARIANTS,
        ),
        _library(
            "pair_step (norm j)",
            "pair_step",
            "next_norm_j",
            _pair_step(2),
            scale=lambda next_norm_j, x_j: 1 / next_norm_j / (1 + x_j),
            **_VARIANTS,
        ),
    ),
    "normtheory.flow_angle": (
        _library(
            "flow_angle",
            "flow_run",
            "angle",
            lambda start, norm_i, norm_j, time: nt.flow_angle(start, norm_i, norm_j, time),
            scale=lambda time: 1 + 0 * time,
            unit="relative",
            tolerance=1e-8,
            reason="absolute error of a Runge-Kutta method of order 4 with 400 steps",
        ),
    ),
    "normtheory.steps_to_converge": (
        _library("steps_to_converge", "step_count", "steps", _steps, **_COUNTS),
        _library("steps_to_converge (ensemble)", "ensemble_count", "steps", _ensemble, **_COUNTS),
    ),
    "normtheory.random_pair_steps": (
        _library(
            "random_pair_steps",
            "ensemble_count",
            "steps",
            lambda dimension, norm, learning_rate, tolerance: nt.random_pair_steps(
                int(dimension[0, 0]), norm, learning_rate, tolerance=float(tolerance[0, 0])
            ),
            unit="relative",
            tolerance=0.03,
            reason="sampling of E tan² by 500 pairs, leading order in x and in ε",
        ),
    ),
    "normtheory.equilibrium_norm": (
        _library(
            "equilibrium_norm",
            "steady_decay",
            "norm",
            lambda learning_rate, weight_decay, s: nt.equilibrium_norm(
                learning_rate, weight_decay, s**2
            ),
            scale=lambda norm, learning_rate, weight_decay: learning_rate * weight_decay / norm,
            reason="the fixed point remembers the rounding of 1/γλ steps",
        ),
    ),
    "normtheory.equilibrium_angular_step": (
        _library(
            "equilibrium_angular_step",
            "steady_decay",
            "turn",
            lambda learning_rate, weight_decay: nt.equilibrium_angular_step(
                learning_rate, weight_decay
            ),
            scale=lambda learning_rate, weight_decay: learning_rate * weight_decay,
            reason="the fixed point remembers the rounding of 1/γλ steps",
        ),
    ),
}
