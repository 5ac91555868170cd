"""What is taken, what is refused, and in which words."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory.diagnosis._rows import read_labels
from tests.normtheory.diagnosis.data import clusters, embeddings


def test_float32_and_half_precision_are_widened_exactly():
    z = embeddings().astype(np.float16)
    half = nt.diagnose(z)
    for other in (z.astype(np.float32), z.astype(np.float64)):
        found = nt.diagnose(other)
        assert found.norms == half.norms
        assert found.neighbours == half.neighbours
    assert half.dtype == "float16"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_jax_arrays_are_taken(dtype):
    z = jnp.asarray(embeddings(), dtype=dtype)
    labels = jnp.arange(200) % 3
    found = nt.diagnose(z, labels, second_view=z)
    expected = nt.diagnose(np.asarray(z).astype(np.float64), np.arange(200) % 3)
    assert found.norms == expected.norms
    assert found.classes == expected.classes
    assert found.dtype == dtype


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_torch_tensors_are_taken(dtype):
    import torch  # pyright: ignore[reportMissingImports]

    z = torch.tensor(embeddings(), dtype=getattr(torch, dtype), requires_grad=True)
    found = nt.diagnose(z, torch.arange(200) % 3)
    expected = nt.diagnose(z.detach().double().numpy(), np.arange(200) % 3)
    assert found.norms == expected.norms
    assert found.neighbours == expected.neighbours
    assert found.dtype == dtype


@pytest.mark.parametrize(
    ("z", "error", "message"),
    [
        (np.ones((3, 2), dtype=int), TypeError, "floats of 16, 32 or 64 bits, got int64"),
        (np.ones((3, 2), dtype=complex), TypeError, "got complex128"),
        (np.array([["a", "b"]] * 3), TypeError, "got text"),
        ([[1.0, 2.0]] * 3, TypeError, r"array of shape \(n, d\), got list"),
        (None, TypeError, "got NoneType"),
        (np.ones(3), ValueError, r"shape \(n, d\) with d >= 2, got shape \(3,\)"),
        (np.ones((3, 1)), ValueError, r"got shape \(3, 1\)"),
        (np.ones((3, 2, 2, 2)), ValueError, r"got shape \(3, 2, 2, 2\)"),
        (np.ones((1, 2)), ValueError, "at least 2 embeddings, got 1"),
        (np.ones((0, 2)), ValueError, "at least 2 embeddings, got 0"),
    ],
)
def test_wrong_arrays(z, error, message):
    with pytest.raises(error, match="embeddings: .*" + message):
        nt.diagnose(z)


def test_traced_arrays_are_refused():
    with pytest.raises(TypeError, match="embeddings: expected values, not an array traced"):
        jax.jit(nt.diagnose)(jnp.ones((3, 2)))


def test_bad_rows_are_counted_and_named():
    z = embeddings()
    z[[3, 50], 1] = np.nan
    z[60, 0] = np.inf
    z[7] = 0
    message = (
        r"embeddings: 3 of 200 rows are not finite: rows 3, 50, 60 and 1 of 200 rows is zero: "
        r"row 7 \(a zero vector has no direction; drop_bad_rows leaves such rows out\)"
    )
    with pytest.raises(ValueError, match=message):
        nt.diagnose(z)
    z[:30] = np.nan
    with pytest.raises(ValueError, match=r"rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, \.\.\. \("):
        nt.diagnose(z)


def test_a_norm_beyond_the_largest_float_is_not_finite():
    z = embeddings()
    z[5] = 1.7e308
    with pytest.raises(ValueError, match="1 of 200 rows is not finite: row 5"):
        nt.diagnose(z)


def test_bad_rows_of_either_view_can_be_left_out():
    z, labels = clusters(100)
    y = z[:, ::-1].copy()
    z[3] = 0
    y[90] = np.nan
    found = nt.diagnose(z, labels, second_view=y, drop_bad_rows=True)
    kept = np.delete(np.arange(100), [3, 90])
    expected = nt.diagnose(z[kept], labels[kept], second_view=y[kept])
    assert found.dropped == (3, 90)
    assert found.n == 98
    for part in ("norms", "neighbours", "classes", "views", "directions", "turning"):
        assert getattr(found, part) == getattr(expected, part)
    # Rows keep the numbers that they have in the array that was handed over.
    assert found.unexpected.rows == tuple(kept[list(expected.unexpected.rows)].tolist())
    assert "2 rows that are zero or not finite were left out: 3, 90" in str(found)
    with pytest.raises(ValueError, match="without bad rows: expected at least 2 embeddings, got 1"):
        nt.diagnose(np.array([[1.0, 0.0], [0.0, 0.0]]), drop_bad_rows=True)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.arange(5), ValueError, r"for each of 200 embeddings, got shape \(5,\)"),
        (np.zeros((200, 1), dtype=int), ValueError, r"got shape \(200, 1\)"),
        (np.linspace(0, 1, 200), TypeError, "integers, booleans or strings, got float64"),
        (
            ["a"] * 199 + [np.nan],
            TypeError,
            r"and a missing one \(nan\) at index 199",
        ),
        ([None] * 200, TypeError, r"got a missing one \(None\) at index 0"),
        ([1] * 199 + ["1"], TypeError, "an integer at index 0 and text at index 199"),
        ([1] * 199 + [True], TypeError, "an integer at index 0 and a truth value at index 199"),
        (["a"] * 199 + [b"a"], TypeError, "text at index 0 and bytes at index 199"),
        (np.array(["a"] * 199 + [1], dtype=object), TypeError, "text at index 0 and an integer"),
        (np.array([b"a"] * 199 + [b"\xe9"]), ValueError, r"UTF-8, got b'\\xe9' at index 199"),
        ([1] * 199 + [2**64], ValueError, "integers of 64 bits"),
        (np.ma.array([1] * 200, mask=[False] * 199 + [True]), TypeError, "MaskedArray"),
    ],
)
def test_wrong_labels(labels, error, message):
    with pytest.raises(error, match="labels: .*" + message):
        nt.diagnose(embeddings(), labels)


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b"] * 100,
        np.array(["a", "b"] * 100, dtype=object),
        np.array([b"a", b"b"] * 100),
        np.array([b"a", b"b"] * 100, dtype=object),
        np.array([True, False] * 100),
    ],
)
def test_labels_of_any_kind(labels):
    found = nt.diagnose(embeddings(), labels).classes
    assert found is not None
    assert {row.label for row in found.by_norm} in ({"a", "b"}, {"True", "False"})
    assert [row.n for row in found.by_norm] == [100, 100]


@pytest.mark.parametrize("made", [list, lambda x: np.array(x, dtype=object)], ids=["list", "array"])
def test_a_long_label_costs_no_room_in_the_others(made):
    labels = ["one", "two", 200_000 * "x", "three"] * 500
    found = read_labels(made(labels), 2000)
    assert found.tolist() == labels
    assert found.nbytes <= 16 * len(labels)


def test_second_view_of_another_shape():
    with pytest.raises(ValueError, match=r"shape \(200, 8\) and second_view has shape \(200, 7\)"):
        nt.diagnose(embeddings(), second_view=embeddings()[:, :7])
    with pytest.raises(ValueError, match=r"second_view has shape \(199, 8\)"):
        nt.diagnose(embeddings(), second_view=embeddings()[:199])
    bad = embeddings()
    bad[4] = 0
    with pytest.raises(ValueError, match="second_view: 1 of 200 rows is zero: row 4"):
        nt.diagnose(embeddings(), second_view=bad)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"learning_rate": 0.0}, ValueError, "learning_rate: expected a finite number and > 0"),
        ({"learning_rate": "1"}, TypeError, "learning_rate: expected a number, got str"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay: expected a finite number and >= 0"),
        ({"learning_rate": 2.0, "weight_decay": 0.5}, ValueError, "expected < 1, got 1"),
        ({"weight_decay": 0.1}, ValueError, "weight_decay: expected a learning_rate with it"),
        ({"batch_size": 8, "learning_rate": 1.0}, ValueError, "expected both or neither"),
        ({"reduction": "mean", "learning_rate": 1.0}, ValueError, "expected both or neither"),
        ({"reduction": "mean", "batch_size": 8}, ValueError, "expected a learning_rate with them"),
        (
            {"reduction": "max", "batch_size": 8, "learning_rate": 1.0},
            ValueError,
            "reduction: expected 'mean' or 'sum', got 'max'",
        ),
        (
            {"reduction": "sum", "batch_size": 0, "learning_rate": 1.0},
            ValueError,
            "batch_size: expected an integer >= 1, got 0",
        ),
        ({"gradscale": 3.0}, ValueError, "gradscale: expected a finite number and >= 0 and <= 2"),
        ({"tolerance": 2.0}, ValueError, r"tolerance: expected a number in \(0, 2\), got 2"),
        ({"target_slowdown": 0.5}, ValueError, "target_slowdown: expected .* >= 1, got 0.5"),
        ({"neighbours": 0}, ValueError, "neighbours: expected an integer >= 1, got 0"),
        ({"sample": 1}, ValueError, "sample: expected an integer >= 2, got 1"),
        ({"buckets": 2.5}, ValueError, "buckets: expected an integer >= 2, got 2.5"),
        ({"seed": -1}, ValueError, "seed: expected an integer >= 0, got -1"),
    ],
)
def test_wrong_options(options, error, message):
    with pytest.raises(error, match=message):
        nt.diagnose(embeddings(), **options)


def _warned(*words: str, z: np.ndarray, **options) -> None:
    """One warning has these words, and it is in the text; a plain cloud has none."""
    found = nt.diagnose(z, **options)
    assert any(all(word in said for word in words) for said in found.warnings), found.warnings
    assert "WARNING: " in str(found)


def test_warnings():
    rng = np.random.default_rng(0)
    unit = embeddings() / np.linalg.norm(embeddings(), axis=1, keepdims=True)
    z = unit * np.exp(rng.normal(1, 0.1, (200, 1)))
    assert nt.diagnose(z).warnings == ()
    gamma = {"batch_size": 1, "reduction": "sum"}
    _warned("look normalised", z=unit)
    _warned("look normalised", z=unit.astype(np.float16))
    _warned("wide spread", "times slower", z=unit * np.exp(rng.normal(0, 1, (200, 1))))
    _warned("nearly all point the same way", z=z * 0.01 + 5)
    flat = np.column_stack([np.cos(z[:, 0]), np.sin(z[:, 0]), *(1e-3 * z.T)])
    _warned("dimensional collapse", z=np.hstack([flat, np.zeros((200, 50))]))
    _warned("norms are large for this learning rate", z=z, learning_rate=1e-4, **gamma)
    _warned("learning rate is large for these norms", z=z, learning_rate=9.0, **gamma)
    _warned("predicted steps are rough", z=z, learning_rate=0.7, **gamma)
    _warned("one class", z=z, labels=[0] * 200)
    _warned("1 of 2 classes have a single sample", z=z, labels=[0] * 199 + [1])


def test_the_fewest_embeddings_there_can_be():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = nt.diagnose(np.array([[1.0, 0.0], [0.0, 3.0]]), ["a", "b"])
    assert found.neighbours.k == 1
    assert found.neighbours.accuracy == 0
    assert found.turning.slowdown == pytest.approx(9)
    assert "not defined: 2 samples are too few" in str(found)


def test_identical_embeddings():
    found = nt.diagnose(np.ones((50, 4)), [0, 1] * 25)
    assert found.directions.participation == 0
    assert any("nearly all point the same way" in said for said in found.warnings)
    assert "not defined: the norm is the same for all" in str(found)
