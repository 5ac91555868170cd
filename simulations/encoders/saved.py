"""Trained encoders that can be kept in a file, without pickle, and embed the same afterwards.

    encoder = simulations.encoders.saved.load("out.SimCLR.npz")
    backbone, projector = encoder.outputs(images)  # bytes (n, h, w, channels), as it was trained on

Every network embeds by itself, a batch of one size at a time, on one device: what an image is
embedded to depends neither on the other images nor on how many networks there are.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from normtheory._files import whole_file
from simulations.encoders.data import unit_range
from simulations.encoders.models import BATCH, Convolutional, referring
from simulations.encoders.reading import archive

_KIND = "normtheory encoder 1"
_BATCH = 256


class Outputs(NamedTuple):
    """What encoders make of images.

    Attributes:
        backbone: features before the projector, shape (runs, n, f).
        projector: embeddings, shape (runs, n, d).
    """

    backbone: np.ndarray
    projector: np.ndarray


@dataclass(frozen=True)
class SavedEncoder:
    """Encoders of one method, a run each.

    Attributes:
        made: how the networks were made.
        networks: along a leading axis of runs.
        shape: of the images, (h, w, channels).
        reference: bytes (runs, m, h, w, channels), some of the images trained on, whose mean and
            variance batch normalisations take; None where there are none.
        method: what it was trained by.
    """

    made: Convolutional
    networks: Any
    shape: tuple[int, int, int]
    reference: np.ndarray | None = None
    method: str = ""

    @property
    def runs(self) -> int:
        """How many networks there are."""
        return len(jax.tree.leaves(self.networks)[0])

    def outputs(self, images: np.ndarray) -> Outputs:
        """What backbone and projector make of images.

        Args:
            images: bytes (n, h, w, channels).

        Raises:
            ValueError: images of another kind or shape than those trained on, or none.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.shape or not len(images):
            raise ValueError(
                f"images: expected bytes (uint8) of shape (n, {', '.join(map(str, self.shape))}), "
                f"got {images.dtype} of shape {images.shape}"
            )
        n = len(images)
        padded = np.resize(images, (-(-n // _BATCH) * _BATCH, *self.shape))
        parts = [jnp.asarray(padded[i : i + _BATCH]) for i in range(0, len(padded), _BATCH)]
        found = []
        for r in range(self.runs):
            network = jax.tree.map(lambda a, r=r: a[r], self.networks)
            before = None if self.reference is None else jnp.asarray(self.reference[r])
            both = [_outputs(network, part, before) for part in parts]
            found.append([np.concatenate([np.asarray(b[k]) for b in both])[:n] for k in (0, 1)])
        return Outputs(np.stack([f[0] for f in found]), np.stack([f[1] for f in found]))

    def save(self, path: str | Path, **about: Any) -> None:
        """Write it whole or not at all.

        Args:
            path: of a file, which ends in .npz.
            about: what else to note in it, for JSON.

        Raises:
            ValueError: another ending.
            OSError: it can't be written.
        """
        path = Path(path)
        if path.suffix != ".npz":
            raise ValueError(f"{path}: expected a name that ends in .npz")
        leaves = jax.tree.leaves(self.networks)
        head = {"kind": _KIND, "method": self.method, "shape": self.shape} | {
            "made": asdict(self.made),
            "about": about,
        }
        arrays: dict[str, Any] = {
            f"parameter_{i:03d}": np.asarray(leaf) for i, leaf in enumerate(leaves)
        }
        if self.reference is not None:
            arrays["reference"] = self.reference
        with whole_file(path) as temporary:
            np.savez(temporary, head=np.array(json.dumps(head)), **arrays)


@eqx.filter_jit
def _outputs(network: Any, images: jax.Array, before: jax.Array | None) -> tuple[jax.Array, ...]:
    """Features and embeddings of a batch, after the images of reference if there are any."""
    first = 0 if before is None else len(before)
    network = referring(network, first)
    both = images if before is None else jnp.concatenate([before, images])

    def one(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        features = network.features(x)
        return features, network.projector(features)

    features, embeddings = jax.vmap(one, axis_name=BATCH)(unit_range(both))
    return features[first:], embeddings[first:]


def load(path: str | Path) -> SavedEncoder:
    """The encoders of a file that :meth:`SavedEncoder.save` wrote.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is another kind of file, or damaged.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    found, _ = archive(path, ("*",))
    try:
        head = json.loads(str(found["head"]))
        if head["kind"] != _KIND:
            raise ValueError(head["kind"])
        made = Convolutional(**head["made"])
        h, w, channels = (int(side) for side in head["shape"])
        like = jax.tree.map(np.asarray, made(np.random.default_rng(0)))
        leaves, structure = jax.tree.flatten(like)
        given = [found[f"parameter_{i:03d}"] for i in range(len(leaves))]
        runs = len(given[0])
        for a, b in zip(given, leaves, strict=True):
            if a.dtype != b.dtype or a.shape != (runs, *b.shape):
                raise ValueError(f"a parameter of shape {a.shape} for {b.shape}")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected an encoder as --save of confidence writes it"
        ) from error
    networks = structure.unflatten([jnp.asarray(a) for a in given])
    return SavedEncoder(made, networks, (h, w, channels), found.get("reference"), head["method"])
