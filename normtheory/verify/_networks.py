"""ReLU networks written out in plain JAX: what dividing the initial weights does."""

from __future__ import annotations

import functools
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._program import brief
from normtheory.interventions import cut_init
from normtheory.sphere import uniform
from normtheory.verify import _definitions as definitions
from normtheory.verify._sample import Sample, column

#: Wide enough that no input of a bias-free network dies: a zero embedding has no direction.
_WIDTHS = (6, 32, 32, 32)
_BATCH = 5
_STEPS = 6


def _output(parameters: Any, x: Any) -> Any:
    """Embeddings (batch, d) of a ReLU network with a list of weights (in, out) and biases."""
    for weight, bias in parameters[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = parameters[-1]
    return x @ weight + bias


def _loss(parameters: Any, x: Any, targets: Any) -> Any:
    return definitions.many_point_loss(_output(parameters, x), targets)


@brief
@functools.partial(jax.vmap, in_axes=(0, 0, 0, None, None, None))
def _train(parameters: Any, x: Any, targets: Any, rate: Any, decay: Any, momentum: Any) -> Any:
    """Weights after a few heavy-ball steps with decay; biases stay fixed."""

    def step(state: Any, _: Any) -> Any:
        now, speed = state
        gradient = jax.grad(_loss)(now, x, targets)
        speed = jax.tree.map(
            lambda v, g, w: momentum * v - rate * (g + decay * w), speed, gradient, now
        )
        speed = [(v, jnp.zeros_like(b)) for v, b in speed]
        return (jax.tree.map(jnp.add, now, speed), speed), None

    start = (parameters, jax.tree.map(jnp.zeros_like, parameters))
    return jax.lax.scan(step, start, None, length=_STEPS)[0][0]


@brief
@functools.partial(jax.vmap, in_axes=(0, 0, 0))
def _first(parameters: Any, x: Any, targets: Any) -> Any:
    return _output(parameters, x), jax.grad(_loss)(parameters, x, targets)


def _cut(parameters: Any, c: Any, by_layer: bool) -> list[tuple[Any, Any]]:
    """Weights over c; the bias of layer l over c^l, or over c."""
    return [
        (weight / c, bias / c ** (layer if by_layer else 1))
        for layer, (weight, bias) in enumerate(parameters, start=1)
    ]


def cut_network(
    d: int,
    points: int,
    rng: np.random.Generator,
    *,
    biases: bool = False,
    rate_power: int = 0,
    decay_power: int = 0,
) -> Sample:
    """Random networks and their copies with weights divided by c = 3, 9 or 2.5.

    Args:
        d: Dimension of the embedding.
        points: Number of networks.
        rng: Source of randomness.
        biases: Give the networks biases.
        rate_power: Power of c by which the rate of the uncut network is larger.
        decay_power: Power of c for its decay.
    """
    n, sizes = points, (*_WIDTHS, d)
    parameters: list[tuple[Any, Any]] = [
        (
            rng.standard_normal((n, a, b)) / np.sqrt(a / 2),
            biases * 0.3 * rng.standard_normal((n, 1, b)),
        )
        for a, b in pairwise(sizes)
    ]
    x = rng.standard_normal((n, _BATCH, sizes[0]))
    targets = uniform(rng, n * _BATCH, d).reshape(n, _BATCH, d)
    layers, c = len(parameters), float(rng.choice([3.0, 9.0, 2.5]))
    cut, all_by_c = _cut(parameters, c, True), _cut(parameters, c, False)
    output, gradient = _first(parameters, x, targets)
    cut_output, cut_gradient = _first(cut, x, targets)
    other_output, _ = _first(all_by_c, x, targets)
    library_output, _ = _first(cut_init(parameters, c), x, targets)
    rate, decay, momentum = 1e-3, 0.5, 0.6
    larger_rate = rate * c**rate_power
    whole = _train(parameters, x, targets, larger_rate, decay * c**decay_power, momentum)
    same_decay = _train(parameters, x, targets, larger_rate, decay, momentum)
    trained_cut = _train(cut, x, targets, rate, decay, momentum)
    alignment = [
        _inner(weight, slope)
        / np.linalg.norm(weight, axis=(1, 2))
        / np.linalg.norm(np.asarray(slope), axis=(1, 2))
        for (weight, _), (slope, _) in zip(parameters, gradient, strict=True)
    ]
    # The last layer's weights and bias together, and its weights alone, against their gradient.
    together = [_inner(parameters[-1][k], gradient[-1][k]) for k in (0, 1)]
    size = np.sqrt(
        sum(_inner(a, a) for a in parameters[-1]) * sum(_inner(a, a) for a in gradient[-1])
    )
    is_other = column(np.arange(n) % 2 == 0)
    compared = np.where(is_other[..., None] == 1, other_output, cut_output)
    inputs = {
        "all_by_c": is_other,
        "c": np.full((n, 1), c),
        "layers": np.full((n, 1), float(layers)),
        "output": np.asarray(output).reshape(n, -1),
        "library_output": np.asarray(library_output).reshape(n, -1),
        "gradient": _weight_part(gradient),
        "whole": _weight_part(whole),
        "same_decay": _weight_part(same_decay),
        "last_weights": column(together[0] / size),
        "last_parameters": _joined(parameters[-1]),
        "last_gradient": _joined(gradient[-1]),
    }
    values = {
        "cut_output": np.asarray(cut_output).reshape(n, -1),
        "cut_gradient": _weight_part(cut_gradient),
        "trained_cut": _weight_part(trained_cut),
        "alignment": np.stack(alignment, axis=1),
        "last_layer": column(sum(together) / size),
        "change_of_direction": column(
            np.linalg.norm(c**layers * compared - output, axis=(1, 2))
            / np.linalg.norm(np.asarray(output), axis=(1, 2))
        ),
    }
    kind = "with biases" if biases else "bias-free"
    return Sample(inputs, values, (f"{layers} layers {kind}, cut by {c:g}, d={d}",) * n)


def _inner(a: Any, b: Any) -> np.ndarray:
    """Inner products of two stacks of matrices (n, i, j), shape (n,)."""
    return np.einsum("nij,nij->n", np.asarray(a), np.asarray(b))


def _joined(layer: Any) -> np.ndarray:
    """Weights and biases of a layer of each network in one row."""
    return np.concatenate([np.asarray(a).reshape(len(a), -1) for a in layer], axis=1)


def _weight_part(parameters: Any) -> np.ndarray:
    """The weights of each network in one row, biases left out."""
    flat = [np.asarray(weight) for weight, _ in parameters]
    return np.concatenate([a.reshape(a.shape[0], -1) for a in flat], axis=1)
