"""Runs of interacting points: rescaled copies, and what the growth of the norms costs."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from normtheory._program import brief
from normtheory.verify import _definitions as definitions
from normtheory.verify._sample import Sample, column
from normtheory.verify._steps import SYSTEM, _systems

_STEPS = 30


def _norms(z: Any) -> Any:
    return jnp.sqrt(jnp.sum(z * z, axis=-1, keepdims=True))


@functools.partial(brief, static_argnames="power")
@functools.partial(jax.vmap, in_axes=(0, 0, 0, 0, 0, None))
def _heavy_ball(z: Any, targets: Any, rate: Any, decay: Any, momentum: Any, power: int) -> Any:
    def step(state: Any, _: Any) -> Any:
        z, v = state
        gradient = jax.grad(definitions.many_point_loss)(z, targets)
        v = momentum * v - rate * (_norms(z) ** power * gradient + decay * z)
        return (z + v, v), None

    return jax.lax.scan(step, (z, jnp.zeros_like(z)), None, length=_STEPS)[0][0]


@brief
@functools.partial(jax.vmap, in_axes=(0, 0, 0, 0))
def _adam(z: Any, targets: Any, rate: Any, epsilon: Any) -> Any:
    optimizer = optax.scale_by_adam(eps=epsilon)

    def step(state: Any, _: Any) -> Any:
        z, memory = state
        gradient = jax.grad(definitions.many_point_loss)(z, targets)
        update, memory = optimizer.update(gradient, memory)
        return (z - rate * update, memory), None

    return jax.lax.scan(step, (z, optimizer.init(z)), None, length=_STEPS)[0][0]


def rescaled_run(
    d: int,
    points: int,
    rng: np.random.Generator,
    *,
    rules: tuple[float, float],
    wrong_rules: tuple[float, float],
    adam: bool = False,
    power: int = 0,
    powers_of_two: bool = True,
) -> Sample:
    """A run, and the same run with points scaled by α and a rule for the other settings.

    Args:
        d: Dimension.
        points: Number of systems.
        rng: Source of randomness.
        rules: Exponents of α by which the rate and the decay (Adam: the rate and ε) are scaled.
        wrong_rules: Those of a second repetition, planted.
        adam: Adam instead of heavy ball with decay and GradScale.
        power: GradScale power.
        powers_of_two: Whether α is a power of two, or any number.
    """
    z, targets, base = _systems(d, points, rng)
    n, base = len(base), base[:, 0]
    k = rng.integers(1, 12, n) * rng.choice([-1, 1], n)
    alpha = 2.0**k if powers_of_two else np.exp(rng.uniform(-5, 5, n))
    if adam:
        rate, epsilon = 0.05 * base, 1e-3 / base
        first = _adam(z, targets, rate, epsilon)

        def rerun(rate_exponent: float, other: float) -> Any:
            scaled = alpha[:, None, None] * z
            return _adam(scaled, targets, rate * alpha**rate_exponent, epsilon * alpha**other)
    else:
        rate = 0.1 * base ** (2 - power)
        decay, momentum = 0.01 / rate, rng.uniform(0, 0.95, n)
        first = _heavy_ball(z, targets, rate, decay, momentum, power)

        def rerun(rate_exponent: float, other: float) -> Any:
            scaled = alpha[:, None, None] * z
            changed = (rate * alpha**rate_exponent, decay * alpha**other, momentum)
            return _heavy_ball(scaled, targets, *changed, power)

    runs = [np.asarray(rerun(*e)).reshape(n * SYSTEM, d) for e in (rules, wrong_rules)]
    end = np.asarray(first).reshape(n * SYSTEM, d)
    spread = np.repeat(alpha, SYSTEM)[:, None]
    inputs = {"end": end, "alpha": spread, "norm_end": np.asarray(_norms(end))}
    values = {"rescaled": runs[0]}
    inputs["wrongly_rescaled"] = runs[1]
    labels = (f"{SYSTEM} interacting points, {_STEPS} steps, d={d}",) * (n * SYSTEM)
    return Sample(inputs, values, labels)


def _sgdw(gradient: Any, memory: Any, setting: dict[str, Any]) -> Any:
    memory = 0.9 * memory + gradient
    return memory, memory


def _polar(gradient: Any, memory: Any, setting: dict[str, Any]) -> Any:
    """Muon's update: momentum, then five Newton-Schulz steps with its published coefficients."""
    memory = 0.95 * memory + gradient
    x = (gradient + 0.95 * memory).T  # wide, as it is used
    x = x / jnp.sqrt(jnp.sum(x * x))
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T, memory


def _adaptive(transform: Any) -> Any:
    def update(gradient: Any, memory: Any, setting: dict[str, Any]) -> Any:
        return transform(setting).update(gradient, memory)

    return update


def _adagrad(gradient: Any, memory: Any, setting: dict[str, Any]) -> Any:
    memory = memory + gradient**2
    return gradient / jnp.sqrt(memory), memory


def _optax_adam(setting: dict[str, Any]) -> Any:
    return optax.scale_by_adam(eps=setting["other"])


#: The direction of each optimizer, from its gradient and memory, and how its memory starts.
_UPDATES: dict[str, tuple[Any, Any]] = {
    "sgdw": (_sgdw, lambda z, setting: jnp.zeros_like(z)),
    "adamw": (_adaptive(_optax_adam), lambda z, setting: _optax_adam(setting).init(z)),
    "adam_l2": (_adaptive(_optax_adam), lambda z, setting: _optax_adam(setting).init(z)),
    "lion": (
        _adaptive(lambda setting: optax.scale_by_lion()),
        lambda z, setting: optax.scale_by_lion().init(z),
    ),
    "adagrad": (_adagrad, lambda z, setting: jnp.full_like(z, setting["other"])),
    "muon": (_polar, lambda z, setting: jnp.zeros_like(z)),
}


@functools.partial(brief, static_argnames="optimizer")
@functools.partial(jax.vmap, in_axes=(0, 0, 0, None))
def _optimized(z: Any, targets: Any, setting: dict[str, Any], optimizer: str) -> Any:
    update, begin = _UPDATES[optimizer]

    def step(state: Any, _: Any) -> Any:
        z, memory = state
        gradient = jax.grad(definitions.many_point_loss)(z, targets)
        if optimizer == "adam_l2":
            gradient = gradient + setting["decay"] * z
        direction, memory = update(gradient, memory, setting)
        shrink = 0 if optimizer == "adam_l2" else setting["rate"] * setting["decay"]
        return (z - shrink * z - setting["rate"] * direction, memory), None

    return jax.lax.scan(step, (z, begin(z, setting)), None, length=_STEPS)[0][0]


def rescaled_optimizer(
    d: int,
    points: int,
    rng: np.random.Generator,
    *,
    optimizer: str,
    rules: tuple[float, float, float],
    wrong_rules: tuple[float, float, float],
) -> Sample:
    """As :func:`rescaled_run`, for optimizers with weight decay; scaled by powers of two.

    Args:
        d: Dimension.
        points: Number of systems.
        rng: Source of randomness.
        optimizer: ``sgdw``, ``adamw``, ``adam_l2``, ``lion``, ``adagrad`` or ``muon``; but for
            ``adam_l2`` the decay acts apart from the gradient.
        rules: Exponents of α by which the rate, the decay and ε (Adagrad: the accumulators' start)
            are scaled.
        wrong_rules: Those of a second repetition, planted.
    """
    z, targets, base = _systems(d, points, rng)
    n, base = len(base), base[:, 0]
    alpha = 2.0 ** (rng.integers(1, 12, n) * rng.choice([-1, 1], n))
    rate = {"sgdw": 0.05 * base**2}.get(optimizer, 0.05 * base)
    setting = {
        "rate": rate,
        "decay": 0.3 / base**2 if optimizer == "adam_l2" else 0.02 / rate,
        "other": 0.1 / base**2 if optimizer == "adagrad" else 1e-3 / base,
    }

    def rerun(exponents: tuple[float, ...]) -> np.ndarray:
        changed = {
            name: value * alpha**exponent
            for (name, value), exponent in zip(setting.items(), exponents, strict=True)
        }
        scaled = alpha[:, None, None] * z
        return np.asarray(_optimized(scaled, targets, changed, optimizer)).reshape(-1, d)

    end = np.asarray(_optimized(z, targets, setting, optimizer)).reshape(-1, d)
    inputs = {
        "end": end,
        "alpha": np.repeat(alpha, SYSTEM)[:, None],
        "norm_end": np.asarray(_norms(end)),
        "wrongly_rescaled": rerun(wrong_rules),
    }
    labels = (f"{SYSTEM} interacting points, {optimizer}, {_STEPS} steps, d={d}",) * (n * SYSTEM)
    return Sample(inputs, {"rescaled": rerun(rules)}, labels)


@functools.partial(brief, static_argnames="steps")
@functools.partial(jax.vmap, in_axes=(0, 0, 0, None))
def _budget(z: Any, targets: Any, rate: Any, steps: int) -> Any:
    loss = functools.partial(definitions.many_point_loss, targets=targets)
    end, _ = jax.lax.scan(lambda z, _: (z - rate * jax.grad(loss)(z), None), z, None, length=steps)
    return jnp.sum(end * end) - jnp.sum(z * z), loss(z) - loss(end)


def budget_run(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Growth of the summed squared norms and fall of the loss over many small steps."""
    z, targets, base = _systems(d, points, rng, spread=2.0)
    rate = 2e-4 * base**2
    growth, fall = _budget(z, targets, rate[:, 0], 500)
    inputs = {"learning_rate": rate, "loss_fall": column(fall)}
    return Sample(
        inputs, {"growth": column(growth)}, (f"{SYSTEM} interacting points, d={d}",) * len(base)
    )
