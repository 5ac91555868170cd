"""One step of a pair, the rate and decay that it sees, and runs of many steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import normtheory as nt
from normtheory.claims import gradscale as gradscale_claim
from normtheory.verify._clouds import measure_angle, norms
from normtheory.verify._library._check import LibraryCheck, library

_STEP_OF_A_PAIR = (
    "rounding of the angle, which a step at rates x_i, x_j magnifies 1 + x_i + x_j times"
)
_RUN: dict[str, Any] = {
    "unit": "relative",
    "tolerance": 1e-10,
    "reason": "rounding of 40 steps, which effective rates of up to 0.2 hardly magnify",
    "off": 1e-6,
}


def _kinds(*columns: Any) -> Iterator[tuple[np.ndarray, tuple[float, ...]]]:
    """Rows that have the same numbers in all of the columns, and these."""
    table = np.concatenate(columns, axis=1)
    for kind in np.unique(table, axis=0):
        yield (table == kind).all(axis=1), tuple(map(float, kind))


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
        result = np.empty_like(angle)
        for rows, (power, push, stop) in _kinds(gradscale, repel, one_sided):
            result[rows] = nt.pair_step(
                nt.PairState(angle[rows], norm_i[rows], norm_j[rows]),
                learning_rate[rows],
                gradscale=power,
                weight_decay=weight_decay[rows],
                repel=bool(push),
                stop_gradient=bool(stop),
            )[part]
        return result

    return call


def _batch_step(
    angle: Any,
    norm_i: Any,
    norm_j: Any,
    learning_rate: Any,
    weight_decay: Any,
    n: Any,
    is_mean: Any,
) -> Any:
    """Angle and norms from pair_step, at the rate and decay that a pair sees of the optimizer's."""
    result = np.empty((len(angle), 3))
    for rows, (many, mean) in _kinds(n, is_mean):
        share = (int(many), "mean" if mean else "sum")
        found = nt.pair_step(
            nt.PairState(angle[rows, 0], norm_i[rows, 0], norm_j[rows, 0]),
            np.array([nt.pair_rate(float(g), *share) for g in learning_rate[rows, 0]]),
            weight_decay=np.array([nt.pair_decay(float(x), *share) for x in weight_decay[rows, 0]]),
        )
        result[rows] = np.stack(found, axis=1)
    return result


def _effective_rate(norm: Any, learning_rate: Any, gradscale: Any) -> Any:
    result = np.empty_like(norm)
    for rows, (power,) in _kinds(gradscale):
        result[rows] = nt.effective_learning_rate(learning_rate[rows], norm[rows], gradscale=power)
    return result


def _simulated(
    angle: Any,
    norm_i: Any,
    norm_j: Any,
    learning_rate: Any,
    weight_decay: Any,
    gradscale: Any,
    repel: Any,
    one_sided: Any,
    steps: Any,
) -> Any:
    """Angle and norms after so many steps of simulate_pairs, every pair an ensemble of its own."""
    result = np.empty((len(angle), 3))
    for rows, (power, push, stop) in _kinds(gradscale, repel, one_sided):
        end = nt.simulate_pairs(
            angle[rows],
            norm_i[rows],
            norm_j[rows],
            learning_rate[rows],
            tolerance=1e-300,
            max_steps=int(steps[0, 0]),
            gradscale=power,
            weight_decay=weight_decay[rows],
            repel=bool(push),
            stop_gradient=bool(stop),
        )
        result[rows] = np.concatenate([end.angle, end.norm_i, end.norm_j], axis=1)
    return result


def _particles(
    z: Any,
    y: Any,
    learning_rate: Any,
    weight_decay: Any,
    gradscale: Any,
    repel: Any,
    one_sided: Any,
    steps: Any,
) -> Any:
    """The same from the particle simulator, all pairs of a kind in one batch."""
    result = np.empty((len(z), 3))
    for rows, (power, push, stop) in _kinds(gradscale, repel, one_sided):
        n = int(rows.sum())
        system = nt.particles.System(
            nt.particles.forces.repulsion() if push else nt.particles.forces.attraction(),
            n * float(learning_rate[0, 0]),  # of a mean over n pairs
            weight_decay=float(weight_decay[0, 0]) / n,
            gradscale=power,
            frozen=(1,) if stop else (),
        )
        start = nt.particles.init(system, z[rows], y[rows])
        end = nt.particles.run(system, start, int(steps[0, 0])).state.positions
        z_end, y_end = (np.asarray(cloud) for cloud in end)
        result[rows] = np.concatenate(
            [measure_angle(z_end, y_end).angle, norms(z_end), norms(y_end)], axis=1
        )
    return result


_VARIANTS: dict[str, Any] = {"options": {"variants": True}, "reason": _STEP_OF_A_PAIR}

CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.pair_step": (
        library(
            "pair_step",
            "pair_step",
            _pair_step(0),
            quantity="next_angle",
            scale=lambda x_i, x_j: 1 / (1 + x_i + x_j),
            **_VARIANTS,
        ),
        library(
            "pair_step (norm i)",
            "pair_step",
            _pair_step(1),
            quantity="next_norm_i",
            scale=lambda next_norm_i, x_i: 1 / next_norm_i / (1 + x_i),
            **_VARIANTS,
        ),
        library(
            "pair_step (norm j)",
            "pair_step",
            _pair_step(2),
            quantity="next_norm_j",
            scale=lambda next_norm_j, x_j: 1 / next_norm_j / (1 + x_j),
            **_VARIANTS,
        ),
    ),
    **{
        f"normtheory.{name}": (
            library(
                name,
                "batch_step",
                _batch_step,
                quantity="state",
                scale=lambda norm_i, norm_j: 1 / (1 + norm_i + norm_j),
                reason=_STEP_OF_A_PAIR + ", here up to 0.5",
            ),
        )
        for name in ("pair_rate", "pair_decay")
    },
    "normtheory.effective_learning_rate": (
        library(
            "effective_learning_rate",
            "pair_draws",
            _effective_rate,
            against=lambda norm, learning_rate, gradscale: gradscale_claim.effective_rate(
                norm, learning_rate, gradscale
            ),
            scale=lambda norm, learning_rate, gradscale: norm ** (2 - gradscale) / learning_rate,
            reason="rounding of a power",
        ),
    ),
    "normtheory.simulate_pairs": (
        library("simulate_pairs", "pair_run", _simulated, quantity="state", **_RUN),
    ),
    "normtheory.particles.run": (
        library("particles.run", "pair_run", _particles, quantity="state", **_RUN),
    ),
}
