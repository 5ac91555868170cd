"""Tables: which columns are the embedding, what is said of that, and tables of text."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from normtheory.diagnosis._files import UsageError, find, read
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
