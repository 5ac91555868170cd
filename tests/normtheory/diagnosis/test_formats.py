"""Formats that people have, each written by somebody else's writer or byte by byte by hand."""

from __future__ import annotations

import gzip
import importlib
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from normtheory.diagnosis._files import SUFFIXES, UsageError, find, read
from tests.normtheory.diagnosis.data import embeddings

Z = embeddings(12, 4).astype(np.float32)
IDS = [f"P{k:03}" for k in range(12)]


def _table(path: Path, columns: dict[str, Any]) -> Path:
    arrow = pytest.importorskip("pyarrow")
    importlib.import_module("pyarrow.parquet").write_table(arrow.table(columns), path)
    return path


# numpy


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".npy.gz"])
def test_bfloat16_out_of_numpy_is_read_as_what_it_is(tmp_path: Path, suffix: str) -> None:
    z = Z.astype(ml_dtypes.bfloat16)
    path = tmp_path / f"z{suffix}"
    save = np.savez if suffix == ".npz" else np.save
    with gzip.open(path, "wb") if suffix == ".npy.gz" else path.open("wb") as file:
        save(file, z)
    found = read(path)
    assert found.dtype.name == "bfloat16"
    np.testing.assert_array_equal(found.astype(np.float32), z.astype(np.float32))


def test_a_packed_npy_is_read_in_either_order(tmp_path: Path) -> None:
    for z in (Z, np.asfortranarray(Z), Z.astype(">f8")):
        with gzip.open(tmp_path / "z.npy.gz", "wb") as file:
            np.save(file, z)
        np.testing.assert_array_equal(read(tmp_path / "z.npy.gz"), Z)


def test_two_arrays_in_one_npy_are_not_read_as_one(tmp_path: Path) -> None:
    with (tmp_path / "z.npy").open("wb") as file:
        np.save(file, Z)
        np.save(file, Z)
    with pytest.raises(ValueError, match="512 bytes of numbers, its header says 192"):
        read(tmp_path / "z.npy")


def test_an_empty_npy_has_its_shape(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", Z[:0])
    assert read(tmp_path / "z.npy").shape == (0, 4)


def test_a_pointer_of_git_lfs_is_called_one(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"
    for suffix in SUFFIXES:
        path = tmp_path / f"z{suffix}"
        path.write_text(pointer)
        with pytest.raises(ValueError, match=rf"z{suffix}: a pointer of Git LFS, .* git lfs pull"):
            read(path)


# One vector an entry


def _npz(path: Path, vectors: dict[str, np.ndarray]) -> None:
    np.savez(path, **vectors)  # type: ignore[arg-type]


def _pt(path: Path, vectors: dict[str, np.ndarray]) -> None:
    torch = pytest.importorskip("torch")
    torch.save({name: torch.tensor(vector) for name, vector in vectors.items()}, path)


def _hdf5(path: Path, vectors: dict[str, np.ndarray]) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, vector in vectors.items():
            file[name] = vector


def _safetensors(path: Path, vectors: dict[str, np.ndarray]) -> None:
    pytest.importorskip("safetensors")
    importlib.import_module("safetensors.numpy").save_file(vectors, path)


@pytest.mark.parametrize(
    ("suffix", "write"),
    [
        (".npz", _npz),
        pytest.param(".pth", _pt, marks=pytest.mark.torch),
        (".h5", _hdf5),
        (".safetensors", _safetensors),
    ],
)
def test_one_vector_an_entry(tmp_path: Path, suffix: str, write: Any) -> None:
    path = tmp_path / f"z{suffix}"
    write(path, dict(zip(IDS, Z, strict=True)))
    found = find(path)
    np.testing.assert_array_equal(np.asarray(found.values), Z)
    assert found.names == tuple(IDS)
    assert found.notes == (
        "the rows are the 12 entries of the file, in its order: " + ", ".join(IDS[:10]) + ", ...",
    )
    np.testing.assert_array_equal(np.asarray(read(path, "P003")), Z[3])
    write(path, {**dict(zip(IDS, Z, strict=True)), "P005": Z[5, :3].copy()})
    with pytest.raises(ValueError, match="entry 'P005', row 5, has 3 values, expected 4 as most"):
        read(path)
    found = np.asarray(find(path, drop=True).values)
    np.testing.assert_array_equal(np.delete(found, 5, axis=0), np.delete(Z, 5, axis=0))
    assert np.isnan(found[5]).all()
    write(path, {"a": Z[0], "all": Z, "b": Z[1]})
    with pytest.raises(
        UsageError, match=r"say which entry .* a \(.*4\), all \(.*12 x 4\), b \(.*4"
    ):
        read(path)


# PyTorch


@pytest.mark.torch
def test_nests_of_dicts_and_lists_in_a_pt_file(tmp_path: Path) -> None:
    import torch  # pyright: ignore[reportMissingImports]

    path, z = tmp_path / "z.pt", torch.tensor(Z)
    torch.save({"state_dict": {"embeddings": z, "bias": z[0]}, "epoch": 3}, path)
    assert torch.equal(read(path), z)
    assert torch.equal(read(path, "state_dict/embeddings"), z)
    assert torch.equal(read(path, "state_dict.bias"), z[0])
    torch.save({"state_dict": {"item.weight": z}, "epoch": 3, "args": {"lr": 0.1, "x": []}}, path)
    found = find(path)
    assert torch.equal(found.values, z)
    assert found.names == ("state_dict/item.weight", "epoch", "args/lr", "args/x")
    with pytest.raises(UsageError, match=r"12 x 4\), epoch \(int\), args/lr \(float\), args/x \(e"):
        read(path, "bias")
    with pytest.raises(ValueError, match="entry 'epoch' is no array that can be read: int"):
        read(path, "epoch")
    torch.save({k: z[k].bfloat16() for k in range(12)}, path)
    assert torch.equal(read(path), z.bfloat16())
    torch.save([z], path)
    assert torch.equal(read(path), z)
    torch.save({1: z, "1": z}, path)
    with pytest.raises(ValueError, match="two entries are called '1'"):
        read(path)
    torch.save({"epoch": 3}, path)
    with pytest.raises(ValueError, match=r"nothing in it can be read; there are: epoch \(int\)"):
        read(path)


# Parquet


def test_tensors_of_arrow(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    column = arrow.FixedShapeTensorArray.from_numpy_ndarray(Z)
    square = arrow.FixedShapeTensorArray.from_numpy_ndarray(Z.reshape(12, 2, 2))
    path = _table(tmp_path / "z.parquet", {"id": IDS, "image": square, "z": column})
    found = find(path)
    np.testing.assert_array_equal(found.values, Z)
    assert (found.notes, find(path, "z").notes) == (("the column z",), ())
    with pytest.raises(ValueError, match=r"column 'image' is no array .*fixed_shape_tensor"):
        read(path, "image")
    assert read(path, "id").tolist() == IDS


def test_columns_that_are_no_embedding_are_listed_with_their_types(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    columns = {
        "text": IDS,
        "tokens": arrow.array([[[1.0], [2.0]]] * 12),
        "about": arrow.array([{"a": 1}] * 12),
        "count": arrow.array([[1, 2]] * 12),
    }
    path = _table(tmp_path / "z.parquet", columns)
    told = (
        r"there are: text \(string\), tokens \(list<\w+: list<\w+: double>>\), "
        r"about \(struct<a: int64>\), count \(list<\w+: int64>\)$"
    )
    with pytest.raises(UsageError, match="no column 'z'; " + told):
        read(path, "z")
    with pytest.raises(ValueError, match="column 'tokens' is no array that can be read: list<"):
        read(path, "tokens")


@pytest.mark.parametrize("fixed", [False, True])
def test_bad_rows_of_a_column_of_vectors_can_be_left_out(tmp_path: Path, fixed: bool) -> None:
    arrow = pytest.importorskip("pyarrow")
    big = np.arange(9000 * 4, dtype=np.float64).reshape(-1, 4)
    rows: list[Any] = big.tolist()
    bad = [0, 8500, 8999]
    for k in bad:
        rows[k] = None
    if not fixed:
        rows[0], rows[8999] = [1.0], []
    kind = arrow.list_(arrow.float64(), 4) if fixed else arrow.list_(arrow.float64())
    path = _table(tmp_path / "z.parquet", {"z": arrow.array(rows, type=kind)})
    with pytest.raises(ValueError, match=r"row 0 has (no value|1 values, expected 4) .*drop_bad"):
        read(path)
    found = find(path, drop=True).values
    assert np.flatnonzero(np.isnan(found).any(axis=1)).tolist() == bad
    np.testing.assert_array_equal(np.delete(found, bad, axis=0), np.delete(big, bad, axis=0))


# HDF5


def test_datasets_of_an_hdf5_file(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "z.hdf5"
    with h5py.File(path, "w") as file:
        group = file.create_group("train")
        group.create_dataset("embeddings", data=Z.astype(">f4"), compression="gzip", chunks=(5, 4))
        group["labels"] = IDS
        group["codes"] = np.array([b"a", b"b"])
        file["about"] = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f4")])
        file["nothing"] = h5py.Empty("f4")
    found = find(path)
    np.testing.assert_array_equal(found.values, Z)
    assert set(found.names) == {
        "train/embeddings",
        "train/labels",
        "train/codes",
        "about",
        "nothing",
    }
    assert [x.decode() for x in read(path, default="labels")] == IDS
    assert read(path, "train/codes").tolist() == [b"a", b"b"]
    with pytest.raises(UsageError, match=r"embeddings \(>f4, 12 x 4\), train/labels \(text, 12\)"):
        read(path, "test/embeddings")
    with pytest.raises(ValueError, match="entry 'about' is no array that can be read: "):
        read(path, "about")


# What is said of them


def test_the_page_and_the_help_name_every_ending(root: Path, capsys: Any) -> None:
    from normtheory import cli

    with pytest.raises(SystemExit):
        cli.main(["diagnose", "--help"])
    shown = capsys.readouterr().out
    page = (root / "docs" / "how-to" / "diagnose-embeddings.md").read_text()
    for suffix in SUFFIXES:
        assert f"`{suffix}`" in page
        assert suffix in shown or suffix.endswith(".gz")


def test_an_ending_may_be_in_capitals(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", Z)
    (tmp_path / "z.npy").rename(tmp_path / "Z.v2.NPY")
    np.testing.assert_array_equal(read(tmp_path / "Z.v2.NPY"), Z)


def test_names_of_other_people_stay_on_their_line(tmp_path: Path) -> None:
    path = tmp_path / "z.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a\nb\x1b[31m", "c" * 500):
            with archive.open(f"{name}.npy", "w") as file:
                np.save(file, Z)
    with pytest.raises(UsageError) as caught:
        read(path)
    message = str(caught.value)
    assert "a\\nb\\x1b[31m (float32, 12 x 4), ccc" in message
    assert len(message) < len(str(path)) + 200
