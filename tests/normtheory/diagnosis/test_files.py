"""Files of every format, and every way in which they can be wrong."""

from __future__ import annotations

import builtins
import importlib
import pickle
import subprocess
import sys
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest

import normtheory as nt
from normtheory.diagnosis import _rows as rows
from normtheory.diagnosis._files import UsageError, read
from tests.normtheory.diagnosis.data import embeddings

Z = embeddings(20, 4).astype(np.float32)
LABELS = np.array(["a", "b"] * 10)


def _parquet(path, **columns):
    arrow = pytest.importorskip("pyarrow")
    importlib.import_module("pyarrow.parquet").write_table(arrow.table(columns), path)
    return path


def test_npy_is_mapped(tmp_path):
    np.save(tmp_path / "z.npy", Z)
    found = read(tmp_path / "z.npy")
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, Z)


def test_a_mapped_file_is_never_copied_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK_BYTES", 2**19)
    z = np.lib.format.open_memmap(tmp_path / "z.npy", mode="w+", dtype="f4", shape=(60_000, 64))
    z[:] = np.random.default_rng(0).standard_normal(z.shape, dtype=np.float32)
    z.flush()
    tracemalloc.start()
    try:
        nt.diagnose(read(tmp_path / "z.npy"), second_view=read(tmp_path / "z.npy"), sample=100)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The array is 15 MB, in float64 30 MB; the statistics need some columns of 0.5 MB.
    assert peak < 12e6


def test_npz(tmp_path):
    path = tmp_path / "z.npz"
    np.savez(path, embeddings=Z, labels=LABELS)
    np.testing.assert_array_equal(read(path), Z)
    np.testing.assert_array_equal(read(path, "labels"), LABELS)
    np.testing.assert_array_equal(read(path, default="labels"), LABELS)
    np.savez(path, one=Z)
    np.testing.assert_array_equal(read(path), Z)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_safetensors(tmp_path, dtype):
    pytest.importorskip("safetensors")
    from safetensors.numpy import save_file

    path = tmp_path / "z.safetensors"
    save_file({"embeddings": Z.astype(dtype), "labels": np.arange(20)}, path)
    found = read(path)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, Z.astype(dtype))
    np.testing.assert_array_equal(read(path, "labels"), np.arange(20))


@pytest.mark.torch
def test_safetensors_in_bfloat16(tmp_path):
    pytest.importorskip("safetensors")
    import torch  # pyright: ignore[reportMissingImports]
    from safetensors.torch import save_file

    z = torch.tensor(Z).bfloat16()
    save_file({"z": z}, tmp_path / "z.safetensors")
    found = read(tmp_path / "z.safetensors")
    assert found.dtype.name == "bfloat16"
    np.testing.assert_array_equal(found.astype(np.float32), z.float().numpy())


@pytest.mark.torch
@pytest.mark.parametrize("zipped", [True, False])
def test_pt(tmp_path, zipped):
    import torch  # pyright: ignore[reportMissingImports]

    path = tmp_path / "z.pt"
    z = torch.tensor(Z)
    torch.save({"embeddings": z, "labels": torch.arange(20), "epoch": 3}, path)
    assert torch.equal(read(path), z)
    assert torch.equal(read(path, "labels"), torch.arange(20))
    torch.save(torch.nn.Parameter(z), path, _use_new_zipfile_serialization=zipped)
    assert torch.equal(read(path), z)
    torch.save({"embeddings": z, "labels": z}, path)
    with pytest.raises(
        UsageError, match=r"no entry 'x'; there are: embeddings \(float32, 20 x 4\), l"
    ):
        read(path, "x")
    torch.save(3, path)
    with pytest.raises(ValueError, match="expected a tensor or a dict of tensors, got int"):
        read(path)


def test_parquet_with_a_column_of_vectors(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    fixed = arrow.FixedSizeListArray.from_arrays(arrow.array(Z.ravel()), 4)
    for column in (fixed, arrow.array(list(Z), type=arrow.list_(arrow.float32()))):
        path = _parquet(
            tmp_path / "z.parquet",
            text=LABELS,
            z=column,
            topic=arrow.array(LABELS).dictionary_encode(),
        )
        found = read(path)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, Z)
        np.testing.assert_array_equal(read(path, "topic").astype(str), LABELS)
        np.testing.assert_array_equal(read(path, "text").astype(str), LABELS)
    with pytest.raises(UsageError, match=r"no column 'y'; there are: text \(string\), z \(.*float"):
        read(path, "y")


def test_parquet_of_several_batches(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    big = np.arange(3 * 20_000, dtype=np.float64).reshape(-1, 3)
    path = _parquet(tmp_path / "z.parquet", z=arrow.array(list(big)))
    np.testing.assert_array_equal(read(path), big)


def test_parquet_with_a_column_for_each_component(tmp_path):
    path = _parquet(tmp_path / "z.parquet", label=LABELS, a=Z[:, 0], b=Z[:, 1])
    np.testing.assert_array_equal(read(path), Z[:, :2])


def test_parquet_with_holes(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    kind = arrow.list_(arrow.float64())

    def path(*rows):
        return _parquet(tmp_path / "z.parquet", z=arrow.array(rows, type=kind))

    with pytest.raises(ValueError, match="row 2 has 1 values, expected 2 as most rows have"):
        read(path([1, 2], [3, 4], [5]))
    with pytest.raises(ValueError, match="row 1 has no value"):
        read(path([1, 2], None))
    assert np.isnan(read(path([1, 2], [3, None]))).tolist() == [[False, False], [False, True]]
    assert read(path()).shape[0] == 0


@pytest.mark.parametrize(
    ("name", "key", "message"),
    [
        ("gone.npy", None, "gone.npy: no such file"),
        ("folder.npz", None, "folder.npz: a folder, expected a file"),
        ("z.doc", None, r"expected a file ending in .npy, .npz, .parquet, .safetensors, .pt, .pth"),
        ("z.npz", None, r"say which entry to read; there are: one \(float32, 20 x 4\), two"),
        ("z.npz", "three", r"no entry 'three'; there are: one \(float32, 20 x 4\), two"),
        ("z.npy", "one", "holds one array without a name, so no entry 'one'"),
    ],
)
def test_wrong_names(tmp_path, name, key, message):
    np.save(tmp_path / "z.npy", Z)
    np.savez(tmp_path / "z.npz", one=Z, two=Z)
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(UsageError, match=message):
        read(tmp_path / name, key)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet", ".safetensors"])
def test_empty_and_damaged_files(tmp_path, suffix):
    pytest.importorskip("pyarrow")
    pytest.importorskip("safetensors")
    _damaged(tmp_path / f"z{suffix}")


@pytest.mark.torch
def test_an_empty_or_damaged_pt_file(tmp_path):
    _damaged(tmp_path / "z.pt")


def _damaged(path):
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="the file is empty"):
        read(path)
    path.write_bytes(b"no such format, and long enough to hold a header" * 9)
    with pytest.raises(ValueError, match=f"z{path.suffix}: (cannot be read|holds pickled)"):
        read(path)


def _refused(path, message):
    """One line that names the file, and no word beside it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message) as found:
            read(path)
    assert str(found.value).startswith(f"{path}: ")
    assert "\n" not in str(found.value)
    assert len(str(found.value)) < len(str(path)) + 120


def test_a_file_of_the_other_numpy_format_is_told_apart(tmp_path):
    np.save(tmp_path / "a.npy", Z)
    np.savez(tmp_path / "b.npz", Z)
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    (tmp_path / "b.npz").rename(tmp_path / "b.npy")
    _refused(tmp_path / "a.npz", "it is a single array, so call it .npy")
    _refused(tmp_path / "b.npy", "it is an .npz archive, so call it .npz")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_cut_off_numpy_file_is_not_taken_for_a_pickle(tmp_path, suffix):
    path = tmp_path / f"z{suffix}"
    path.write_bytes(b"\x93NU")
    _refused(path, f"cannot be read: damaged, or no {suffix} file")
    path.write_bytes(pickle.dumps(Z))
    _refused(path, "holds pickled objects")


def test_an_entry_of_an_archive_that_is_no_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.npz", "w") as archive:
        archive.writestr("notes.txt", "no array")
    _refused(tmp_path / "z.npz", r"nothing in it can be read; there are: notes.txt \(no array\)")


@pytest.mark.torch
def test_pt_files_that_are_no_plain_tensors(tmp_path):
    import torch  # pyright: ignore[reportMissingImports]

    path, z = tmp_path / "z.pt", torch.tensor(Z)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = {
            "a sparse_coo one: make it dense": z.to_sparse(),
            "a sparse_csr one: make it dense": z.to_sparse_csr(),
            "a nested one: make it dense": torch.nested.nested_tensor([z[0], z[1, :2]]),
            r"a quantised one \(qint8\)": torch.quantize_per_tensor(z, 0.1, 0, torch.qint8),
            "got float8_e4m3fn: cast it": z.to(torch.float8_e4m3fn),
            "got complex64: cast it": torch.complex(z, z),
            "one on the device meta": z.to("meta"),
        }
    for message, tensor in wrong.items():
        torch.save({"embeddings": tensor}, path)
        _refused(path, message)


@pytest.mark.torch
def test_pt_files_that_are_not_of_torch_save(tmp_path):
    import torch  # pyright: ignore[reportMissingImports]

    path = tmp_path / "z.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2))
        torch.jit.save(module, path)
    _refused(path, "a TorchScript archive, which holds code: refused")
    path.write_bytes(pickle.dumps({"embeddings": Z}))
    _refused(path, "holds pickled objects")
    path.write_bytes(b"\x50K\x03")
    _refused(path, "cannot be read: File is not a zip file")
    path.write_bytes(b"1, 2, 3\n")
    _refused(path, "cannot be read: damaged, or no file of torch.save")


@pytest.mark.torch
def test_safetensors_of_8_bit_floats(tmp_path):
    pytest.importorskip("safetensors")
    import torch  # pyright: ignore[reportMissingImports]
    from safetensors.torch import save_file

    save_file({"z": torch.tensor(Z).to(torch.float8_e4m3fn)}, tmp_path / "z.safetensors")
    _refused(tmp_path / "z.safetensors", "tensor 'z' is of F8_E4M3: cast it")


@pytest.mark.torch
def test_safetensors_in_bfloat16_are_read_where_nothing_else_is_imported(tmp_path):
    pytest.importorskip("safetensors")
    import torch  # pyright: ignore[reportMissingImports]
    from safetensors.torch import save_file

    path = tmp_path / "z.safetensors"
    save_file({"z": torch.tensor(Z).bfloat16()}, path)
    code = (
        "import sys; from normtheory.diagnosis._files import read; print(read(sys.argv[1]).dtype)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "bfloat16\n"


def test_a_truncated_npy(tmp_path):
    path = tmp_path / "z.npy"
    np.save(path, Z)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"z\.npy: .* 280 bytes of numbers, its header says 320"):
        read(path)


class Harmful:
    """A pickle of it writes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return builtins.open, (str(self.path), "w")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_pickles_in_numpy_files_are_refused_unread(tmp_path, suffix):
    trace, path = tmp_path / "trace", tmp_path / f"z{suffix}"
    save = np.save if suffix == ".npy" else np.savez
    save(path, np.array([Harmful(trace)], dtype=object))
    with pytest.raises(ValueError, match="holds pickled objects, which can run code when loaded"):
        read(path)
    assert not trace.exists()


@pytest.mark.torch
def test_pickles_in_pt_files_are_refused_unread(tmp_path):
    import torch  # pyright: ignore[reportMissingImports]

    trace, path = tmp_path / "trace", tmp_path / "z.pt"
    torch.save({"embeddings": Harmful(trace)}, path)
    with pytest.raises(ValueError, match="holds pickled objects"):
        read(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("suffix", "module", "extra"),
    [
        (".parquet", "pyarrow", "formats"),
        (".safetensors", "safetensors", "formats"),
        (".h5", "h5py", "formats"),
        (".pt", "torch", "torch"),
    ],
)
def test_a_missing_package_names_its_extra(tmp_path, monkeypatch, suffix, module, extra):
    path = tmp_path / f"z{suffix}"
    path.write_bytes(b"x")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=rf"needs {module}: .*normtheory\[{extra}\]"):
        read(path)


def test_a_bad_row_far_down_a_table_has_its_own_number(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    rows = [[1.0, 2.0]] * 9000  # more than a batch of 8192
    for bad, said in (
        (None, "row 8500 has no value"),
        ([1.0], "row 8500 has 1 values, expected 2 as most rows have"),
    ):
        given = [*rows[:8500], bad, *rows[8501:]]
        column = arrow.array(given, type=arrow.list_(arrow.float64()))
        with pytest.raises(ValueError, match=said):
            read(_parquet(tmp_path / "z.parquet", z=column))


def test_a_wrong_key_is_refused_where_there_is_one_entry(tmp_path):
    path = tmp_path / "one.npz"
    np.savez(path, z=Z)
    with pytest.raises(UsageError, match="no entry 'y'; there are: z"):
        read(path, "y")


def test_a_column_of_the_default_name_is_the_one(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    names = arrow.array(["a", "b"])
    vectors = arrow.array([[1.0, 2.0], [3.0, 4.0]])
    path = _parquet(tmp_path / "z.parquet", label=names, z=vectors)
    assert read(path, default="label").tolist() == ["a", "b"]
