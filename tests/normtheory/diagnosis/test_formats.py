"""Formats that people have, each written by somebody else's writer or byte by byte by hand."""

from __future__ import annotations

import csv
import gzip
import importlib
import struct
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
CLASSES = np.array([0, 1, 2] * 4)


def _table(path: Path, columns: dict[str, Any]) -> Path:
    arrow = pytest.importorskip("pyarrow")
    importlib.import_module("pyarrow.parquet").write_table(arrow.table(columns), path)
    return path


def _components(stem: str) -> dict[str, np.ndarray]:
    return {f"{stem}{k}": Z[:, k].copy() for k in range(4)}


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


# Which columns are the embedding


def _csv(path: Path, columns: dict[str, Any]) -> Path:
    with path.open("w", newline="") as file:
        rows = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        rows.writerow(columns)
        rows.writerows(
            [x.item() if isinstance(x, np.generic) else x for x in row]
            for row in zip(*columns.values(), strict=True)
        )
    return path


@pytest.fixture(params=[".parquet", ".csv", ".tsv"])
def write(request: Any, tmp_path: Path) -> Any:
    """Writes a table of columns, and gives its path."""
    one = _table if request.param == ".parquet" else _csv
    return lambda columns: one(tmp_path / f"z{request.param}", columns)


def test_numbered_columns_are_the_embedding_and_the_report_says_so(write: Any) -> None:
    score = np.linspace(0.25, 1.5, 12)
    found = find(write({"score": score, "id": IDS, **_components("dim_"), "year": CLASSES}))
    np.testing.assert_array_equal(found.values, Z)
    assert found.notes == ("the components are the 4 columns dim_0 to dim_3",)
    assert found.warnings == ("columns of floats beside the components were left out: score",)
    found = find(write({"id": IDS, **_components("")}))
    np.testing.assert_array_equal(found.values, Z)
    assert (len(found.notes), found.warnings) == (1, ())


def test_numbered_columns_stand_in_the_order_of_their_numbers(write: Any) -> None:
    columns = {f"e[{k}]": np.full(12, k + 0.5) for k in (10, 2, 1, 3, 4, 5, 6, 7, 8, 9)}
    assert read(write(columns))[0].tolist() == [k + 0.5 for k in range(1, 11)]
    columns.pop("e[4]")
    assert find(write(columns)).warnings == (
        "1 numbers are missing among the columns e[1] to e[10]",
    )


def test_columns_that_nothing_tells_apart_are_all_taken_with_a_warning(write: Any) -> None:
    found = find(write({"id": IDS, "a": Z[:, 0], "b": Z[:, 1], "score": Z[:, 2], "n": CLASSES}))
    np.testing.assert_array_equal(found.values, Z[:, :3])
    (warning,) = found.warnings
    assert "so all 3 columns of floats were taken: a, b, score" in warning


def test_of_two_series_one_must_be_named(write: Any) -> None:
    path = write({**_components("view_a_"), **{f"view_b_{k}": Z[:, k] + 1 for k in range(4)}})
    with pytest.raises(UsageError, match=r"say which column .* view_a \(4 columns of .*view_b \("):
        read(path)
    np.testing.assert_array_equal(read(path, "view_b"), Z + 1)
    path = write({**_components("embeddings_"), **_components("second_view_"), "labels": CLASSES})
    np.testing.assert_array_equal(read(path), Z)
    np.testing.assert_array_equal(read(path, default="second_view"), Z)
    np.testing.assert_array_equal(read(path, default="labels"), CLASSES)


# Tables of text


def test_a_table_without_names(tmp_path: Path) -> None:
    path = tmp_path / "z.tsv"
    lines = [
        "\t".join([name, *map(repr, row), str(c)])
        for name, row, c in zip(IDS, Z.tolist(), CLASSES.tolist(), strict=True)
    ]
    path.write_text("\n".join(lines) + "\n\n")
    np.testing.assert_array_equal(read(path), Z)
    assert read(path, "0").tolist() == IDS
    np.testing.assert_array_equal(read(path, "5"), CLASSES)
    path.write_text("\n".join(line.partition("\t")[2].rpartition("\t")[0] for line in lines))
    np.testing.assert_array_equal(read(path), Z)


def test_labels_in_a_table(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    for text in ("label\na\nb\n", "a\nb\n", "\ufeffa\r\nb\r\n", "labels;x\na;1\nb;2\n"):
        path.write_text(text)
        assert read(path, default="labels").tolist() == ["a", "b"]
    path.write_text("label\n3\n-4\n")
    assert read(path, default="labels").tolist() == [3, -4]
    path.write_bytes("kind,labels\n1,café\n2,thé\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"column 'labels': row 0 is no UTF-8: b'caf\\xe9'"):
        read(path, default="labels")
    path.write_text("kind,labels\n1,a\n2,\n")
    with pytest.raises(ValueError, match="column 'labels': row 1 has no value"):
        read(path, default="labels")


def test_holes_in_a_table(tmp_path: Path) -> None:
    path = tmp_path / "z.csv"
    path.write_text("x0,x1\n1.5,2\n,3\n4\n5.5,none\nsix,7\n8.5,9\n")
    with pytest.raises(ValueError, match=r"row 2 has 1 cells, expected 2 \(drop_bad_rows"):
        read(path)
    kept = find(path, "x", drop=True).values
    assert kept[[0, 5]].tolist() == [[1.5, 2], [8.5, 9]]
    assert np.isnan(kept[1:5]).any(axis=1).all()
    path.write_text("x0,x1\n" + "1.5,2\n" * 200 + "six,7\n")
    with pytest.raises(ValueError, match="column 'x0': row 200 is no number: 'six'"):
        read(path)
    path.write_text("x0,x1,x0\n1,2,3\n")
    with pytest.raises(ValueError, match="two columns are called 'x0'"):
        read(path)


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


# Word vectors

WORDS = ["the", "New York", "café", "#"] * 3


def _word2vec_text(header: bool = True, end: str = "") -> str:
    rows = [
        " ".join([word, *map(repr, row)]) + end for word, row in zip(WORDS, Z.tolist(), strict=True)
    ]
    return "\n".join(["12 4"] * header + rows) + "\n"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("text", [_word2vec_text(), _word2vec_text(False), _word2vec_text(end=" ")])
def test_word_vectors_in_text(tmp_path: Path, text: str, packed: bool) -> None:
    path = tmp_path / ("z.vec.gz" if packed else "z.txt")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    if not text.startswith("12 4"):  # nothing tells where a word with a space ends, here
        text = text.replace("New York", "York")
    found = find(path)
    np.testing.assert_array_equal(found.values, Z)
    assert found.values.dtype == np.float32
    assert [x.decode() for x in read(path, "words")] == WORDS


def test_word_vectors_that_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "z.vec"
    lines = _word2vec_text().splitlines()
    path.write_text("\n".join(lines[:-2]))
    with pytest.raises(ValueError, match="10 vectors, its first line says 12"):
        read(path)
    path.write_text("\n".join([*lines[:4], lines[4].rpartition(" ")[0], *lines[5:]]))
    with pytest.raises(ValueError, match="row 3 is no word with a vector of 4 numbers"):
        read(path)
    assert np.flatnonzero(np.isnan(find(path, drop=True).values).all(axis=1)).tolist() == [3]


@pytest.mark.parametrize("newline", [b"", b"\n"])
@pytest.mark.parametrize("suffix", [".bin", ".bin.gz"])
def test_word_vectors_in_binary(
    tmp_path: Path, monkeypatch: Any, suffix: str, newline: bytes
) -> None:
    monkeypatch.setattr("normtheory.diagnosis._readers._words.CHUNK", 50)
    content = b"12 4\n" + b"".join(
        word.replace(" ", "_").encode() + b" " + struct.pack("<4f", *row) + newline
        for word, row in zip(WORDS, Z, strict=True)
    )
    path = tmp_path / f"z{suffix}"
    packed = gzip.compress if suffix == ".bin.gz" else bytes
    path.write_bytes(packed(content))
    np.testing.assert_array_equal(read(path), Z)
    assert [x.decode() for x in read(path, "words")] == [w.replace(" ", "_") for w in WORDS]
    path.write_bytes(packed(content[:-8]))
    with pytest.raises(ValueError, match="11 vectors, its first line says 12"):
        read(path)
    path.write_bytes(packed(content + b"x"))
    with pytest.raises(ValueError, match="more follows than the 12 vectors"):
        read(path)
    path.write_bytes(packed(struct.pack("<i", 793712314) + content))
    with pytest.raises(ValueError, match="a model of fastText: its vectors are in the"):
        read(path)


def test_a_matrix_in_text_and_a_label_a_line(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "z.txt", Z, fmt="%.9g")
    np.testing.assert_array_equal(read(tmp_path / "z.txt").astype(np.float32), Z)
    np.savetxt(tmp_path / "z.txt", [[3, 2], [1, 5]], fmt="%d")
    assert read(tmp_path / "z.txt").tolist() == [[3, 2], [1, 5]]
    path = tmp_path / "labels.txt"
    path.write_text("\ufeff" + "\r\n".join(WORDS) + "\n\n")
    assert [x.decode() for x in read(path, default="labels")] == WORDS
    path.write_text("a\n\nb\n")
    with pytest.raises(ValueError, match="row 1 has no label"):
        read(path, default="labels")


# Vectors of benchmarks


def test_fvecs_and_bvecs(tmp_path: Path) -> None:
    path = tmp_path / "z.fvecs"
    path.write_bytes(b"".join(struct.pack("<i4f", 4, *row) for row in Z))
    np.testing.assert_array_equal(read(path), Z)
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    with pytest.raises(ValueError, match="cut off: 17 bytes after 11 vectors of 20 bytes"):
        read(path)
    path.write_bytes(content[:40] + struct.pack("<i", 5) + content[44:])
    with pytest.raises(ValueError, match="vector 2 has length 5, expected 4 as vector 0"):
        read(path)
    numbers = np.arange(48, dtype=np.uint8).reshape(12, 4) * 5
    (tmp_path / "z.bvecs").write_bytes(b"".join(struct.pack("<i4B", 4, *row) for row in numbers))
    found = find(tmp_path / "z.bvecs")
    np.testing.assert_array_equal(found.values, numbers.astype(np.float32))
    assert found.notes == ("the components are bytes, numbers from 0 to 255",)


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
