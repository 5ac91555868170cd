"""Any loss of the library on the embeddings of a network.

A loss says of every cloud what it wants: embeddings of a view, predictions of those of the other
view, prototypes, and so on. What counts as a constant there comes from the target network: the
network itself (SimSiam), or a moving average of it (BYOL, MoCo, DINO).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from normtheory import grad_scale
from normtheory.losses import LOSSES, Cloud, Loss
from simulations.encoders.models import BATCH


class Learner(eqx.Module):
    """What is trained.

    Attributes:
        encoder: from one item to its embedding.
        predictor: from an embedding to the prediction of another, for SimSiam and BYOL.
        prototypes: shape (k, d), for losses with class weights or prototypes.
    """

    encoder: Any
    predictor: Any = None
    prototypes: jax.Array | None = None


@dataclass(frozen=True)
class NewLearner:
    """How to make a learner: call it with a generator.

    Attributes:
        encoder: a generator -> an encoder.
        predictor: likewise, or None.
        prototypes: their number and dimension, or None.
    """

    encoder: Callable[[np.random.Generator], Any]
    predictor: Callable[[np.random.Generator], Any] | None = None
    prototypes: tuple[int, int] | None = None

    def __call__(self, rng: np.random.Generator) -> Learner:
        """A new learner."""
        encoder = self.encoder(rng)
        predictor = None if self.predictor is None else self.predictor(rng)
        if self.prototypes is None:
            return Learner(encoder, predictor)
        prototypes = rng.standard_normal(self.prototypes).astype(np.float32)
        return Learner(encoder, predictor, jnp.asarray(prototypes))


class Batch(NamedTuple):
    """Two views of the same items, and the labels of the items.

    Attributes:
        view_1: shape (n, ...).
        view_2: same shape; rows are partners.
        labels: integers (n,), seen only by losses that ask for them.
    """

    view_1: jax.Array
    view_2: jax.Array
    labels: jax.Array


@dataclass(frozen=True)
class Objective:
    """A loss of :data:`normtheory.losses.LOSSES`, by name, on a batch.

    Attributes:
        loss: its name.
        options: its options, as pairs of a name and a number.
        gradscale: power p of GradScale on all that the loss differentiates.
    """

    loss: str = "nt_xent"
    options: tuple[tuple[str, float], ...] = ()
    gradscale: float = 0.0

    def __post_init__(self) -> None:
        """Refuse unknown losses."""
        if self.loss not in LOSSES:
            raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {self.loss!r}")

    def __call__(self, learner: Learner, target: Learner | None, batch: Batch) -> jax.Array:
        """The loss; gradients reach the learner alone.

        Args:
            learner: what is trained.
            target: the network whose outputs count as constants; None for the learner itself.
            batch: at least four items where the loss has a queue.

        Raises:
            ValueError: the loss needs a predictor or prototypes, and the learner has none.
        """
        loss = LOSSES[self.loss]
        given = _given(loss, learner, target, batch)
        if self.gradscale:
            for cloud in loss.clouds:
                if cloud.trained and cloud.role != "prototypes":
                    given[cloud.name] = grad_scale(given[cloud.name], self.gradscale)
        return loss(**given, **dict(self.options))


def _given(
    loss: Loss, learner: Learner, target: Learner | None, batch: Batch
) -> dict[str, jax.Array]:
    """What a loss wants, by name."""
    own = _views(learner, batch)
    fixed = jax.lax.stop_gradient(own)
    constant = learner if target is None else target
    codes_of = [option.name for option in loss.options if option.codes]
    if target is not None and (loss.stop_gradient or codes_of):
        fixed = _views(jax.lax.stop_gradient(target), batch)
    # A queue has the keys of the other half of the batch.
    half = len(own[0]) // 2 if any(cloud.role == "queue" for cloud in loss.clouds) else None

    def supply(cloud: Cloud) -> jax.Array:
        if cloud.role == "prototypes":
            found = _prototypes(learner if cloud.trained else constant)
            return found if cloud.trained else jax.lax.stop_gradient(found)
        views = own if cloud.trained else fixed
        view = _view(loss, cloud)
        if cloud.role == "queue":
            return fixed[1][half:]
        if cloud.role == "negatives":
            return jnp.roll(views[view - 1], 1, axis=0)
        found = views[view - 1] if view else jnp.concatenate(views)
        if cloud.role == "predictions":
            if learner.predictor is None:
                raise ValueError("this loss needs a learner with a predictor")
            found = jax.vmap(learner.predictor, axis_name=BATCH)(found)
        return found[:half]

    given = {cloud.name: supply(cloud) for cloud in loss.clouds}
    for option in loss.options:
        if option.kind == "labels":
            items = len(given[loss.clouds[0].name]) // len(batch.labels)
            given[option.name] = jnp.tile(batch.labels, items)
    return given | {name: codes(fixed[1], _prototypes(constant)) for name in codes_of}


def _view(loss: Loss, cloud: Cloud) -> int:
    """Which view a cloud is of, 1 or 2; 0 for both."""
    alike = [one for one in loss.clouds if one.role == cloud.role]
    return cloud.view or (0 if len(alike) == 1 else 1 + alike.index(cloud))


def _views(learner: Learner, batch: Batch) -> tuple[jax.Array, jax.Array]:
    """Embeddings of both views, from one pass, which halves what there is to compile."""
    encode = jax.vmap(learner.encoder, axis_name=BATCH)
    both = encode(jnp.concatenate([batch.view_1, batch.view_2]))
    u, v = jnp.split(both, 2)
    return u, v


def _prototypes(learner: Learner) -> jax.Array:
    if learner.prototypes is None:
        raise ValueError("this loss needs a learner with prototypes")
    return learner.prototypes


def codes(z: jax.Array, prototypes: Any, *, sharpness: float = 20.0, rounds: int = 3) -> jax.Array:
    """Codes of SwAV: rows that sum to 1, spread evenly over prototypes (Caron et al. 2020, eq. 3).

    Args:
        z: embeddings, shape (n, d).
        prototypes: shape (k, d).
        sharpness: 1/ε of the entropy.
        rounds: of Sinkhorn's iteration.

    Returns:
        Shape (n, k).
    """
    similarity = _unit(z) @ _unit(jax.lax.stop_gradient(prototypes)).T
    scores = sharpness * similarity
    for _ in range(rounds):
        scores = jax.nn.log_softmax(scores, axis=0)
        scores = jax.nn.log_softmax(scores, axis=1)
    return jax.lax.stop_gradient(jnp.exp(scores))


def _unit(z: jax.Array) -> jax.Array:
    return z / jnp.linalg.norm(z, axis=-1, keepdims=True)
