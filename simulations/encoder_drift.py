"""When the embedding moves through a network: which laws of free embeddings are left.

A step of SGD on the weights moves embedding i by -γ Σ_j J_i J_jᵀ g_j to first order, where g_j is
the gradient at embedding j, orthogonal to it. Measured at new networks, in two parts, and once more
for a real step:

* the embedding's *own* part, j = i, all there is in a batch of one. J_i J_iᵀ tends to a multiple of
  the identity as the width grows, so this part becomes orthogonal to z_i like width^(-1/2). Through
  one linear layer it is orthogonal exactly.
* the whole *batch*. g_j is orthogonal to z_j and not to z_i: norms change at first order, at any
  width. Both signs occur in narrow networks; in wide ones nearly all norms shrink.

While training on a fixed batch, the squared norms of embeddings are compared with their sum of
squared displacements, and those of weights with the sum of their squared steps: that is all growth
there would be if displacements were orthogonal. They are, for weights: ⟨W_l, ∇W_l⟩ = 0 in every
layer of a bias-free ReLU network, and with biases for the last layer's weights and biases together.
Claim :mod:`normtheory.claims.cut_init` has the identity and its proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from normtheory.losses import LOSSES
from simulations._settings import check_positive
from simulations.encoders.data import LatentClasses
from simulations.encoders.models import Mlp, Network


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        widths: of the two hidden layers.
        trained_widths: those of the networks that are trained.
        pairs: in the batch, all of different classes.
        latent_dimension: of the space of the class centres.
        data_dimension: of what the encoder sees.
        noise: standard deviation per latent coordinate.
        dimension: of the embedding.
        temperature: of NT-Xent.
        learning_rate: of SGD on the mean loss.
        steps: of training.
        runs: independent networks and batches.
        seed: of everything.
    """

    widths: tuple[int, ...] = (16, 64, 256, 1024)
    trained_widths: tuple[int, ...] = (16, 256)
    pairs: int = 32
    latent_dimension: int = 10
    data_dimension: int = 64
    noise: float = 0.1
    dimension: int = 10
    temperature: float = 0.5
    learning_rate: float = 0.002
    steps: int = 200
    runs: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive."""
        check_positive(self)


SECONDS = 9  # of the full run, about, on two cores
# Without the widest networks, over fewer steps.
QUICK = Settings(widths=(16, 64, 256), steps=100)
QUICK_SECONDS = 6  # of that run, likewise
SMOKE = Settings(
    widths=(16, 128),
    trained_widths=(16,),
    pairs=8,
    data_dimension=16,
    dimension=5,
    steps=20,
    runs=16,
)


def _two_views(x: np.ndarray) -> np.ndarray:
    """Points (runs, n, ...), two of a class side by side: the first ones, then their partners."""
    return np.concatenate([x[:, ::2], x[:, 1::2]], axis=1)


def _loss(z: jax.Array, temperature: float) -> jax.Array:
    n = len(z) // 2
    return LOSSES["nt_xent"].value(z[:n], z[n:], temperature=temperature)


def _networks(settings: Settings, width: int, *, biases: bool) -> Network:
    """New networks in float64, along a leading axis of runs."""
    sizes = (settings.data_dimension, width, width, settings.dimension)
    rngs = [np.random.default_rng((settings.seed, r)) for r in range(settings.runs)]
    networks = [Mlp(sizes, biases=biases)(rng) for rng in rngs]
    return jax.tree.map(lambda *a: np.stack(a).astype(np.float64), *networks)


def _radial(z: jax.Array, change: jax.Array) -> jax.Array:
    """Cosine between embeddings and how they are displaced."""
    lengths = jnp.linalg.norm(z, axis=-1) * jnp.linalg.norm(change, axis=-1)
    return jnp.sum(z * change, axis=-1) / lengths


@partial(jax.jit, static_argnames="temperature")
def _first_order(
    networks: Network, x: jax.Array, temperature: float, learning_rate: float
) -> tuple[jax.Array, ...]:
    """Radial cosines of the own part, the whole displacement and the real one, each (runs, n)."""

    def one(arguments: tuple[Network, jax.Array]) -> tuple[jax.Array, ...]:
        network, x = arguments
        z, back = jax.vjp(lambda net: jax.vmap(net)(x), network)
        g = jax.grad(_loss)(z, temperature)

        def displacement(x: jax.Array, slope: Network) -> jax.Array:
            down = jax.tree.map(jnp.negative, slope)
            return jax.jvp(lambda net: net(x), (network,), (down,))[1]

        def own(arguments: tuple[jax.Array, jax.Array]) -> jax.Array:
            x, g = arguments
            (slope,) = jax.vjp(lambda net: net(x), network)[1](g)
            return displacement(x, slope)

        (slope,) = back(g)
        whole = jax.vmap(displacement, in_axes=(0, None))(x, slope)
        after = jax.tree.map(lambda w, s: w - learning_rate * s, network, slope)
        real = jax.vmap(after)(x) - z
        return _radial(z, jax.lax.map(own, (x, g))), _radial(z, whole), _radial(z, real)

    return jax.lax.map(one, (networks, x))


def _squares(network: Network) -> jax.Array:
    """Squared Frobenius norm of every layer's weights, shape (layers,)."""
    return jnp.stack([jnp.sum(layer.weight**2) for layer in network.layers])


@partial(jax.jit, static_argnames=("settings", "steps"))
@partial(jax.vmap, in_axes=(0, 0, None, None))
def _train(networks: Network, x: jax.Array, settings: Settings, steps: int) -> Any:
    """Squared norms of embeddings and weights, and what orthogonal steps would give."""

    def body(state: Any, _: Any) -> tuple[Any, Any]:
        network, moved, stepped = state

        def loss(network: Network) -> tuple[jax.Array, jax.Array]:
            z = jax.vmap(network)(x)
            return _loss(z, settings.temperature), z

        slope, z = jax.grad(loss, has_aux=True)(network)
        after = jax.tree.map(lambda w, g: w - settings.learning_rate * g, network, slope)
        seen = (jnp.sum(z**2, axis=-1), moved, _squares(network), stepped)
        moved = moved + jnp.sum((jax.vmap(after)(x) - z) ** 2, axis=-1)
        stepped = stepped + settings.learning_rate**2 * _squares(slope)
        return (after, moved, stepped), seen

    zeros = jnp.zeros(len(x)), jnp.zeros(len(networks.layers))
    start = (networks, *(a.astype(x.dtype) for a in zeros))
    return jax.lax.scan(body, start, None, length=steps + 1)[1]


@partial(jax.jit, static_argnames="temperature")
def _slopes(networks: Network, x: Any, temperature: float) -> Network:
    """Gradients of all weights and biases."""

    def loss(network: Network, x: jax.Array) -> jax.Array:
        return _loss(jax.vmap(network)(x), temperature)

    return jax.vmap(jax.grad(loss))(networks, x)


def _without_biases(networks: Network) -> Network:
    """The same networks with biases of 0, so that one program serves both."""
    return jax.tree.map(lambda a: a if a.ndim == 3 else np.zeros_like(a), networks)


def _alignment(networks: Network, x: Any, temperature: float) -> tuple[np.ndarray, float]:
    """Cosines between weights and their gradients, (runs, layers), and of the last (W, b)."""
    slopes = _slopes(networks, x, temperature)
    cosine = [
        np.einsum("rij,rij->r", layer.weight, slope.weight)
        / np.linalg.norm(layer.weight, axis=(1, 2))
        / np.linalg.norm(slope.weight, axis=(1, 2))
        for layer, slope in zip(networks.layers, slopes.layers, strict=True)
    ]
    last, slope = networks.layers[-1], slopes.layers[-1]
    joint, joint_slope = (
        np.concatenate([layer.weight, layer.bias[..., None]], axis=2).reshape(len(x), -1)
        for layer in (last, slope)
    )
    product = np.sum(joint * joint_slope, axis=1)
    lengths = np.linalg.norm(joint, axis=1) * np.linalg.norm(joint_slope, axis=1)
    return np.stack(cosine, axis=1), float(np.abs(product / lengths).max())


def run(settings: Settings) -> xr.Dataset:
    """Measure displacements at new networks, and norms while training.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``width``, ``run`` and ``embedding`` of the cosines between embedding and
        displacement, ``radial_own`` and ``radial_batch`` to first order and ``radial_real`` for a
        step at the learning rate; over ``trained_width``, ``run`` and
        ``step`` of ``embedding_growth``, the relative growth of the sum of ρ² since the start,
        and ``weight_growth``, likewise of all weights, with ``embedding_orthogonal`` and
        ``weight_orthogonal``, what they would be if every displacement were orthogonal; the largest
        cosines between weights and gradients of a ``layer``, ``weight_alignment`` without biases
        and ``weight_alignment_biased`` with them, and ``joint_alignment`` of the last layer's
        weights and biases.
    """
    worlds = LatentClasses(
        (1.0,) * settings.pairs,
        2 * settings.pairs,
        settings.latent_dimension,
        settings.data_dimension,
        settings.noise,
    )
    points, _ = worlds(settings.seed, settings.runs)
    x = _two_views(np.asarray(points.x).astype(np.float64))
    with jax.enable_x64(True):
        own, batch, real = zip(
            *(
                _first_order(
                    _networks(settings, w, biases=False),
                    x,
                    settings.temperature,
                    settings.learning_rate,
                )
                for w in settings.widths
            ),
            strict=True,
        )
        trained = [
            _train(_networks(settings, w, biases=False), x, settings, settings.steps)
            for w in settings.trained_widths
        ]
        biased = _networks(settings, settings.widths[0], biases=True)
        alignment, _ = _alignment(_without_biases(biased), x, settings.temperature)
        biased_alignment, joint = _alignment(biased, x, settings.temperature)
        squares, moved, weights, stepped = (
            np.stack([np.asarray(t[i]).sum(axis=-1) for t in trained]) for i in range(4)
        )
    first, curves = ("width", "run", "embedding"), ("trained_width", "run", "step")
    unit = {"units": "1"}
    return xr.Dataset(
        {
            "radial_own": (first, np.array(own), unit),
            "radial_batch": (first, np.array(batch), unit),
            "radial_real": (first, np.array(real), unit),
            "embedding_growth": (curves, squares / squares[..., :1] - 1, unit),
            "embedding_orthogonal": (curves, moved / squares[..., :1], unit),
            "weight_growth": (curves, weights / weights[..., :1] - 1, unit),
            "weight_orthogonal": (curves, stepped / weights[..., :1], unit),
            "weight_alignment": ("layer", np.abs(alignment).max(axis=0), unit),
            "weight_alignment_biased": ("layer", np.abs(biased_alignment).max(axis=0), unit),
            "joint_alignment": ((), joint, unit),
        },
        coords={
            "width": ("width", list(settings.widths), unit),
            "trained_width": ("trained_width", list(settings.trained_widths), unit),
            "run": np.arange(settings.runs),
            "step": ("step", np.arange(settings.steps + 1), {"units": "steps"}),
            "layer": 1 + np.arange(alignment.shape[1]),
        },
    )
