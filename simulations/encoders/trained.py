"""Networks on images, trained or not, and the images that their batch normalisations refer to."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from simulations.encoders.data import unit_range
from simulations.encoders.models import BatchNorm, Convolutional
from simulations.encoders.objectives import Learner
from simulations.encoders.saved import SavedEncoder
from simulations.encoders.training import embed

REFERENCE = 256  # images whose mean and variance a batch normalisation takes after training
BATCH = 500  # images embedded at a time


class Trained(NamedTuple):
    """Networks, which may also be new ones.

    Attributes:
        learners: along a leading axis.
        reference: some of the images that each was trained on, bytes (networks, m, h, w, channels),
            for batch normalisations; None where there are none.
    """

    learners: Learner
    reference: np.ndarray | None

    def embeddings(self, images: np.ndarray, batch: int = BATCH) -> np.ndarray:
        """Embeddings (networks, n, d) of images (n, ...), a batch of that size at a time."""
        n = len(images)
        padded = np.resize(images, (-(-n // batch) * batch, *images.shape[1:]))
        before = None if self.reference is None else unit_range(jnp.asarray(self.reference))
        found = []
        for i in range(0, len(padded), batch):
            x = unit_range(jnp.asarray(padded[i : i + batch]))
            found.append(np.asarray(embed(self.learners, x, before, shared=True)))
        return np.concatenate(found, axis=1)[:, :n]

    def saved(
        self, made: Convolutional, runs: int, method: str, images: np.ndarray
    ) -> SavedEncoder:
        """The encoders of the first runs, as they can be kept.

        Args:
            made: how they were made.
            runs: how many.
            method: what they were trained by.
            images: those trained on, (n, h, w, channels).
        """
        first = jax.tree.map(lambda a: a[:runs], self.learners.encoder)
        h, w, channels = images.shape[1:]
        before = None if self.reference is None else self.reference[:runs]
        return SavedEncoder(made, first, (h, w, channels), before, method)


def refers(learner: Any) -> bool:
    """Whether networks have batch normalisations in their encoder."""
    is_one = lambda m: isinstance(m, BatchNorm)  # noqa: E731
    return any(map(is_one, jax.tree.leaves(learner.encoder, is_leaf=is_one)))
