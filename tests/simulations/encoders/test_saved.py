"""An encoder of a file embeds to the same bits as the one that was written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulations._store import ROOT
from simulations.encoders import saved
from simulations.encoders.models import BATCH, Convolutional, referring
from simulations.encoders.saved import SavedEncoder, load

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (7, 16, 16, 3), dtype=np.uint8)


def encoder(*, batch: bool, runs: int = 2) -> SavedEncoder:
    norm = "batch" if batch else "layer"
    made = Convolutional(3, 2, 4, norm, norm_outputs=batch, norm_convolutions=batch)
    networks = [made(np.random.default_rng(r)) for r in range(runs)]
    reference = RNG.integers(0, 256, (runs, 9, 16, 16, 3), dtype=np.uint8) if batch else None
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *networks)
    return SavedEncoder(made, stacked, (16, 16, 3), reference, "SimSiam" if batch else "SimCLR")


@pytest.mark.parametrize("batch", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_loaded_encoder_embeds_to_the_same_bits(batch: bool, tmp_path: Path) -> None:
    first = encoder(batch=batch)
    first.save(tmp_path / "it.npz", source="a test")
    again = load(tmp_path / "it.npz")
    assert (again.made, again.shape, again.method) == (first.made, (16, 16, 3), first.method)
    for a, b in zip(first.outputs(IMAGES), again.outputs(IMAGES), strict=True):
        assert a.shape[:2] == (2, 7)
        np.testing.assert_array_equal(a, b)
    with np.load(tmp_path / "it.npz", allow_pickle=False) as file:
        assert json.loads(str(file["head"]))["about"] == {"source": "a test"}


@pytest.mark.slow
def test_another_process_finds_the_same_bits(tmp_path: Path) -> None:
    first = encoder(batch=True)
    first.save(tmp_path / "it.npz")
    np.save(tmp_path / "images.npy", IMAGES)
    code = (
        "import numpy as np; from simulations.encoders import saved;"
        "z = saved.load('it.npz').outputs(np.load('images.npy'));"
        "np.savez('z.npz', **z._asdict())"
    )
    path = {"PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, **path}, check=True
    )
    with np.load(tmp_path / "z.npz") as found:
        for name, z in first.outputs(IMAGES)._asdict().items():
            np.testing.assert_array_equal(found[name], z)


def test_outputs_are_features_and_embeddings_of_each_network() -> None:
    both = encoder(batch=True)
    found = both.outputs(IMAGES)
    assert both.reference is not None
    for r in range(2):
        network = referring(jax.tree.map(lambda a, r=r: a[r], both.networks), 9)
        x = jnp.asarray(np.concatenate([both.reference[r], IMAGES]), jnp.float32) / 255
        features, z = jax.jit(
            lambda x, of=network: [jax.vmap(f, axis_name=BATCH)(x) for f in (of.features, of)]
        )(x)
        np.testing.assert_allclose(found.backbone[r], features[9:], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found.projector[r], z[9:], rtol=1e-3, atol=1e-3)
    assert found.backbone.shape == (2, 7, 16)
    assert found.projector.shape == (2, 7, 4)


def test_an_image_is_embedded_alike_in_any_company(monkeypatch: pytest.MonkeyPatch) -> None:
    one = encoder(batch=True)
    monkeypatch.setattr(saved, "_BATCH", 4)
    whole, few = one.outputs(IMAGES), one.outputs(IMAGES[[6, 5]])
    for a, b in zip(whole, few, strict=True):
        np.testing.assert_array_equal(a[:, [6, 5]], b)


@pytest.mark.parametrize(
    "images", [IMAGES / 255, IMAGES[:, :, :15], IMAGES[..., :1], IMAGES[0], IMAGES[:0]]
)
def test_other_images_are_refused(images: np.ndarray) -> None:
    with pytest.raises(
        ValueError, match=r"images: expected bytes \(uint8\) of shape \(n, 16, 16, 3"
    ):
        encoder(batch=False).outputs(images)


def test_files_that_are_no_encoders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        load(tmp_path / "nothing.npz")
    with pytest.raises(ValueError, match=r"it\.txt: expected a name that ends in \.npz"):
        encoder(batch=False).save(tmp_path / "it.txt")
    path = tmp_path / "it.npz"
    encoder(batch=False).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    wrong = {
        "other": {"images": IMAGES},
        "none": arrays | {"parameter_000": arrays["parameter_000"][:, :1]},
        "runs": arrays | {"parameter_001": arrays["parameter_001"][:1]},
        "kind": arrays | {"head": np.array(json.dumps({"kind": "something else"}))},
    }
    for name, given in wrong.items():
        np.savez(tmp_path / f"{name}.npz", **given)
        with pytest.raises(ValueError, match=rf"{name}\.npz: expected an encoder as --save"):
            load(tmp_path / f"{name}.npz")
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"it\.npz: expected arrays of numbers"):
        load(path)
