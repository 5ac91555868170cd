"""Two modalities in their symmetric state under CLIP with a learned scale, by autodiff."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._program import brief
from normtheory.verify import _clouds as clouds
from normtheory.verify import _definitions as definitions
from normtheory.verify._equiangular import rotation, simplex
from normtheory.verify._sample import Sample, column, joined

#: Sizes of the clouds; with two directions in common they fit into 6 dimensions.
SIZES = (3, 5)


def _state(first: Any, second: Any, n: int, turn: Any) -> tuple[Any, Any]:
    """Unit anchors and partners (n, d) of the symmetric state."""
    root = jnp.sqrt(1 - first**2 - second**2)
    shared = root * jnp.asarray(simplex(n)) @ turn[:, : n - 1].T + first * turn[:, n - 1]
    return shared + second * turn[:, n], shared - second * turn[:, n]


def clip(u: Any, v: Any, b: Any, wrong: Any = 0.0) -> Any:
    """Mean over both directions of the cross-entropies of scaled cosines.

    Targets are the partner with probability 1 − ``wrong``, all others alike.
    """
    n = u.shape[0]
    logits = b * definitions.units(u) @ definitions.units(v).T
    target = jnp.where(jnp.eye(n) == 1, 1 - wrong, wrong / (n - 1))
    rows, columns = (jax.nn.log_softmax(logits, axis=k) for k in (1, 0))
    return -jnp.sum(target * (rows + columns)) / (2 * n)


def _advance(u: Any, v: Any, parameter: Any, to_b: Any, setting: dict[str, Any]) -> Any:
    """One step of SGD of the embeddings and of the parameter that the scale is made of."""

    def loss(u: Any, v: Any, parameter: Any) -> Any:
        return clip(u, v, to_b(parameter), setting["wrong"])

    slopes = jax.grad(loss, (0, 1, 2))(u, v, parameter)

    def moved(z: Any, slope: Any) -> Any:
        norm = jax.vmap(definitions.norm)(z)[:, None]
        keep = 1 - setting["learning_rate"] * setting["weight_decay"]
        return keep * z - setting["learning_rate"] * norm ** setting["gradscale"] * slope

    new = moved(u, slopes[0]), moved(v, slopes[1])
    return (*new, parameter - setting["scale_rate"] * slopes[2])


@functools.partial(brief, static_argnames="n")
@functools.partial(jax.vmap, in_axes=(0, 0, 0, 0, 0, 0, None))
def _one(first: Any, second: Any, norm: Any, b: Any, turn: Any, setting: Any, n: int) -> Any:
    u, v = (norm * x for x in _state(first, second, n, turn))
    new_u, new_v, new_s = _advance(u, v, jnp.log(b), jnp.exp, setting)
    # Along the common directions; the partners' gap has the other sign.
    common = jnp.stack([new_u[0] @ turn[:, n - 1], new_u[0] @ turn[:, n]])
    return {
        "log_scale_step": new_s - jnp.log(b),
        "common": common,
        "next_norm": definitions.norm(new_v[1]),
    }


def gap_step(d: int, points: int, rng: np.random.Generator) -> Sample:
    """One step of random symmetric states with GradScale and decay, κΔs of up to about 1.

    Args:
        d: Dimension, at least 6.
        points: States of every size.
        rng: Source of randomness.
    """
    rows: list[dict[str, np.ndarray]] = []
    labels: list[str] = []
    for n in SIZES:
        part = rng.uniform(0.05, 0.6, (points, 2))
        norm = clouds.log_uniform(rng, 1e-2, 1e2, points)
        power = rng.choice([0.0, 1.0, 2.0], (points, 1))
        scale_rate = clouds.log_uniform(rng, 1e-2, 1.0, points)
        rate = clouds.log_uniform(rng, 1e-3, 1.0, points) * n * norm ** (2 - power)
        inputs = {
            "first": part[:, :1],
            "second": part[:, 1:],
            "norm": norm,
            "b": clouds.log_uniform(rng, 0.5, 10.0, points),
            "n": np.full((points, 1), float(n)),
            "learning_rate": rate,
            "scale_rate": scale_rate,
            "gradscale": power,
            "weight_decay": rng.choice([0.0, 0.2], (points, 1)) / rate,
        }
        turns = np.stack([rotation(rng, d) for _ in range(points)])
        setting = {
            key: inputs[key][:, 0]
            for key in ("learning_rate", "scale_rate", "gradscale", "weight_decay")
        } | {"wrong": np.zeros(points)}
        first, second, norms, b = (inputs[k][:, 0] for k in ("first", "second", "norm", "b"))
        found = _one(first, second, norms, b, turns, setting, n)
        rows.append(inputs | {k: np.asarray(x).reshape(points, -1) for k, x in found.items()})
        labels += [f"{n} pairs, d={d}"] * points
    inputs = joined(rows)
    values = {key: inputs.pop(key) for key in ("log_scale_step", "common", "next_norm")}
    norm, unit = inputs["norm"], inputs["scale_rate"] * inputs["b"]
    parts = [values["common"] / norm, values["next_norm"] / norm, values["log_scale_step"] / unit]
    values["state"] = np.concatenate(parts, axis=1)
    return Sample(inputs, values, tuple(labels))


_TO_B = {"log": jnp.exp, "scale": lambda b: b, "temperature": lambda tau: 1 / tau}


@functools.partial(brief, static_argnames=("learned", "steps"))
def _run(u: Any, v: Any, parameter: Any, setting: Any, learned: str, steps: int) -> Any:
    def step(state: Any, _: Any) -> Any:
        return _advance(state[0], state[1], state[2], _TO_B[learned], setting), None

    u, v, parameter = jax.lax.scan(step, (u, v, parameter), None, length=steps)[0]
    apart = jnp.mean(definitions.units(u) - definitions.units(v), axis=0)
    return definitions.norm(apart), _TO_B[learned](parameter)


def gap_run(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Gaps after runs in which ln b, b or τ is learned, at two norms, and at half of the rates.

    Of 8 pairs from b = 2 and a gap of 0.8; γ_e of a few κ of order 1.
    """
    del points
    n, b_0, start = 8, 2.0, (0.1, 0.4)
    rows, ratios, extrapolated = [], [], []
    turn = rotation(rng, max(d, n + 2))
    u, v = (np.asarray(x) for x in brief(_state, static_argnames="n")(*start, n, turn))
    gap_0 = 2 * start[1]
    rates = {"log": 0.02, "scale": 0.02, "temperature": 0.0005}
    for k, learned in enumerate(rates):
        # κ of about 1, where the exponent of b² or τ² would otherwise be far from it.
        target = {"log": 0.7, "scale": 0.1, "temperature": 4.0}[learned]
        for norm in (1.0, 2.0):
            logs = []
            for half in (1, 2):
                scale_rate = rates[learned] / half
                rate = target * n * scale_rate
                setting = {
                    "learning_rate": rate,
                    "scale_rate": scale_rate,
                    "gradscale": 0.0,
                    "weight_decay": 0.0,
                    "wrong": 0.0,
                }
                parameter = {"log": np.log(b_0), "scale": b_0, "temperature": 1 / b_0}[learned]
                gap, b = _run(norm * u, norm * v, parameter, setting, learned, 300 * half)
                logs.append((float(np.log(gap / gap_0)), float(b)))
            kappa = target / norm**2
            rows.append((logs[0][1], b_0, kappa, k))
            ratios.append(np.exp(logs[0][0]))
            # Both runs end at nearly the same scale; each is divided by the law at its own end.
            law = [_law(learned, b, b_0, kappa) for _, b in logs]
            errors = [x - y for (x, _), y in zip(logs, law, strict=True)]
            extrapolated.append(np.exp(law[0] + 2 * errors[1] - errors[0]))
    table = np.array(rows)
    inputs = {key: table[:, [i]] for i, key in enumerate(("b", "b_0", "kappa", "learned"))}
    values = {"ratio": column(ratios), "ratio_extrapolated": column(extrapolated)}
    labels = tuple(f"learned {k}, norm {r:g}" for k in rates for r in (1, 2))
    return Sample(inputs, values, labels)


def _law(learned: str, b: float, b_0: float, kappa: float) -> float:
    """Logarithm of the gap that the flow has at a scale b; what is left is a run's error."""
    shift = {
        "log": np.log(b / b_0),
        "scale": (b**2 - b_0**2) / 2,
        "temperature": (b_0**-2 - b**-2) / 2,
    }[learned]
    return float(-kappa * shift)


@functools.partial(brief, static_argnames="n")
def _stop(turn: Any, setting: dict[str, Any], n: int) -> tuple[Any, Any]:
    """Scale and difference of mean cosines, of partners and of others, after a long run."""

    def step(state: Any, _: Any) -> Any:
        return _advance(state[0], state[1], state[2], jnp.exp, setting), None

    start = (*_state(0.1, 0.3, n, turn), jnp.zeros(()))
    u, v, log_scale = jax.lax.scan(step, start, None, length=6000)[0]
    cosines = definitions.units(u) @ definitions.units(v).T
    own = jnp.trace(cosines)
    return jnp.exp(log_scale), own / n - (jnp.sum(cosines) - own) / (n * (n - 1))


def gap_stop(d: int, points: int, rng: np.random.Generator) -> Sample:
    """The margin bD at which a run with wrong partners comes to rest."""
    del points
    rows, margins = [], []
    for n, wrong in ((3, 0.1), (5, 0.05), (5, 0.3)):
        setting = {
            "learning_rate": 0.2 * n,
            "scale_rate": 0.2,
            "gradscale": 0.0,
            "weight_decay": 0.0,
            "wrong": wrong,
        }
        scale, difference = _stop(rotation(rng, max(d, n + 2)), setting, n)
        margins.append(float(scale) * float(difference))
        rows.append((n, wrong))
    table = np.array(rows, dtype=float)
    inputs = {"n": table[:, :1], "wrong": table[:, 1:]}
    labels = tuple(f"{int(n)} pairs, {e:.0%} wrong" for n, e in rows)
    return Sample(inputs, {"margin": column(margins)}, labels)
