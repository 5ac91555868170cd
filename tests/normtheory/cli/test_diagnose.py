"""``normtheory diagnose``: output, exit statuses, one-line errors."""

from __future__ import annotations

import importlib
import json
import os

import numpy as np
import pytest

import normtheory as nt
from normtheory import cli
from normtheory.diagnosis import _diagnose
from tests.normtheory.diagnosis.data import clusters
from tests.normtheory.particles.checkpoint.test_checkpoint import small_disk

RATE = ("--learning-rate", "2", "--batch-size", "100", "--reduction", "mean")


def _run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main(["diagnose", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


@pytest.fixture
def files(tmp_path):
    z, labels = clusters()
    np.save(tmp_path / "z.npy", z)
    np.save(tmp_path / "labels.npy", labels)
    np.savez(
        tmp_path / "all.npz", embeddings=z, second_view=z[:, ::-1], labels=labels, topic=labels
    )
    return tmp_path


def test_text(capsys, files):
    z, labels = clusters()
    expected = nt.diagnose(z, labels, learning_rate=2.0, batch_size=100, reduction="mean")
    status, out, err = _run(capsys, files / "z.npy", "--labels", files / "labels.npy", *RATE)
    assert status == 0
    assert out == f"{expected}\n"
    assert err == ""
    _, out, _ = _run(capsys, files / "z.npy", "--labels", files / "labels.npy", *RATE, "--formulas")
    assert out == f"{expected.text(formulas=True)}\n"


def test_json_from_one_file_with_everything(capsys, files):
    z, labels = clusters()
    expected = nt.diagnose(
        z,
        labels,
        second_view=z[:, ::-1],
        learning_rate=0.5,
        weight_decay=0.1,
        gradscale=1.0,
        seed=3,
        sample=200,
    )
    arguments = ("--gradscale", "1", "--seed", "3", "--sample", "200")
    arguments += ("--learning-rate", "0.5", "--weight-decay", "0.1")
    views = ("--second-view-key", "second_view", "--labels-key", "topic", "--json")
    status, out, err = _run(capsys, files / "all.npz", *views, *arguments)
    assert (status, err) == (0, "")
    assert json.loads(out) == json.loads(expected.to_json())


def test_entries_of_other_files_have_a_default(capsys, files):
    given = ("--labels", files / "all.npz", "--second-view", files / "all.npz", "--json")
    status, out, _ = _run(capsys, files / "z.npy", *given)
    z, labels = clusters()
    assert status == 0
    expected = nt.diagnose(z, labels, second_view=z[:, ::-1])
    assert json.loads(out) == json.loads(expected.to_json())


@pytest.mark.parametrize(
    "given",
    [
        {"optimizer": "momentum", "momentum": "0.5", "coupled": "False", "temperature": "0.25"},
        {"optimizer": "adamw", "beta_1": "0.5", "beta_2": "0.25", "epsilon": "0.125"},
    ],
)
def test_the_optimizers_numbers_reach_the_diagnosis(capsys, files, given):
    words = [
        word
        for name, value in given.items()
        for word in (
            ("--decoupled",) if name == "coupled" else (f"--{name.replace('_', '-')}", value)
        )
    ]
    status, out, err = _run(capsys, files / "z.npy", *words, "--json")
    assert (status, err) == (0, "")
    options = json.loads(out)["options"]
    assert {name: str(options[name]) for name in given} == given


HINT = "has labels that were not used: --labels-key labels would use them"


@pytest.mark.parametrize(
    "suffix", ["npz", "safetensors", "parquet", pytest.param("pt", marks=pytest.mark.torch)]
)
def test_labels_that_were_not_asked_for_are_pointed_out(capsys, tmp_path, suffix):
    z, labels = clusters()
    path = tmp_path / f"z.{suffix}"
    if suffix == "npz":
        np.savez(path, embeddings=z, labels=labels)
    elif suffix == "safetensors":
        pytest.importorskip("safetensors")
        from safetensors.numpy import save_file

        save_file({"embeddings": z, "labels": labels}, path)
    elif suffix == "parquet":
        arrow = pytest.importorskip("pyarrow")
        table = arrow.table({"embeddings": arrow.array(list(z)), "labels": labels})
        importlib.import_module("pyarrow.parquet").write_table(table, path)
    else:
        torch = pytest.importorskip("torch")
        torch.save({"embeddings": torch.tensor(z), "labels": torch.tensor(labels)}, path)
    status, out, _ = _run(capsys, path)
    assert status == 0
    assert f"WARNING: {path} {HINT}." in " ".join(out.split())
    assert "Classes" not in out
    _, out, _ = _run(capsys, path, "--json")
    assert json.loads(out)["warnings"][-1] == f"{path} {HINT}"
    _, out, _ = _run(capsys, path, "--labels-key", "labels")
    assert "not used" not in out
    assert "Classes" in out


def test_only_labels_that_would_do_are_pointed_out(capsys, files):
    z, _ = clusters()
    status, out, _ = _run(capsys, files / "all.npz", "--labels", files / "labels.npy")
    assert (status, HINT in out) == (0, False)
    for other in (z, np.arange(5), np.linspace(0, 1, len(z)), np.array([{}] * len(z))):
        np.savez(files / "other.npz", embeddings=z, labels=other)
        status, out, _ = _run(capsys, files / "other.npz")
        assert (status, HINT in " ".join(out.split())) == (0, False)
    np.savez(files / "other.npz", labels=z)
    status, out, _ = _run(capsys, files / "other.npz", "--key", "labels")
    assert (status, HINT in out) == (0, False)


def test_html(capsys, files):
    status, out, err = _run(capsys, files / "z.npy", "--html", files / "report.html")
    assert (status, err) == (0, "")
    assert out.endswith(f"\n\nwritten to {files / 'report.html'}\n")
    assert "Embedding" in (files / "report.html").read_text()
    assert out.startswith("normtheory diagnosis: 300 embeddings")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument 'FILE'"),
        (("gone.npy",), "gone.npy: no such file"),
        (("z.doc",), "expected a file ending in"),
        (
            ("all.npz", "--key", "x"),
            "no entry 'x'; there are: embeddings (float64, 300 x 6), second_view",
        ),
        (("all.npz", "--key", "topic", "--labels-key", "topic"), "the entry with the embeddings"),
        (("z.npy", "--labels", "gone.npy"), "gone.npy: no such file"),
        (("z.npy", "--neighbours", "0"), "neighbours: expected an integer >= 1, got 0"),
        (("z.npy", "--learning-rate", "-1"), "learning_rate: expected a finite number and > 0"),
        (("z.npy", "--learning-rate", "1", "--batch-size", "8"), "expected both or neither"),
        (("z.npy", "--weight-decay", "0.1"), "weight_decay: expected a learning_rate with it"),
        (("folder.npy",), "folder.npy: a folder, expected a file"),
        (("z.npy", "--html", "no/such/folder.html"), "there is no folder no/such"),
        (("z.npy", "--html", "z.pdf"), "expected a name that ends in .html, since a page is"),
        (("z.npy", "--nonsense"), "No such option"),
    ],
)
def test_bad_usage_is_one_line_and_2(capsys, files, monkeypatch, arguments, message):
    monkeypatch.chdir(files)
    (files / "folder.npy").mkdir()
    status, out, err = _run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("normtheory: ")
    assert message in err
    assert err.count("\n") == 1


def test_unusable_input_is_one_line_and_1(capsys, files, monkeypatch):
    monkeypatch.chdir(files)
    z, _ = clusters()
    z[17] = np.nan
    np.save("bad.npy", z)
    np.save("short.npy", np.arange(5))
    np.save("one.npy", z[:1])
    np.save("objects.npy", np.array([{}], dtype=object))
    (files / "empty.npy").touch()
    for arguments, message in (
        (("bad.npy",), "1 of 300 rows is not finite: row 17 (drop_bad_rows leaves such rows out)"),
        (("z.npy", "--labels", "short.npy"), "one label for each of 300 embeddings"),
        (("z.npy", "--second-view", "one.npy"), "second_view: expected at least 2 embeddings"),
        (("labels.npy",), "embeddings: expected floats of 16, 32 or 64 bits, got int64"),
        (("one.npy",), "expected at least 2 embeddings, got 1"),
        (("objects.npy",), "holds pickled objects"),
        (("empty.npy",), "empty.npy: the file is empty"),
    ):
        status, out, err = _run(capsys, *arguments)
        assert (status, out) == (1, "")
        assert err.startswith("normtheory: ")
        assert message in err
        assert err.count("\n") == 1
    status, out, _ = _run(capsys, "bad.npy", "--drop-bad-rows")
    assert status == 0
    assert "299 embeddings" in out


def test_a_page_that_cannot_be_written_is_told(capsys, files):
    (files / "folder").mkdir()
    status, out, err = _run(capsys, files / "z.npy", "--html", files / "folder")
    assert (status, out) == (2, "")
    assert err.endswith("folder: expected the name of a file, got a folder\n")
    with small_disk(1000):
        status, out, err = _run(capsys, files / "z.npy", "--html", files / "page.html")
    assert (status, out) == (1, "")
    assert err.endswith("page.html: cannot be written: File too large\n")
    assert err.count("\n") == 1
    assert not (files / "page.html").exists()


@pytest.mark.parametrize("option", ["--batch-size", "--neighbours", "--seed"])
def test_an_integer_has_64_bits(capsys, files, option):
    for value in (2**63, 10**400):
        status, out, err = _run(capsys, files / "z.npy", option, value)
        assert (status, out) == (2, "")
        assert err == (
            f"normtheory: Invalid value for '{option}': "
            "expected an integer up to 9223372036854775807\n"
        )


@pytest.mark.parametrize("option", ["FILE", "--labels", "--second-view", "--html"])
def test_a_name_that_no_file_can_have_is_one_line(capsys, files, option):
    name = 300 * "x" + (".html" if option == "--html" else ".npy")
    arguments = (name,) if option == "FILE" else (files / "z.npy", option, name)
    status, out, err = _run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("normtheory: xxx")
    assert err.endswith(f"{name[-5:]}: File name too long\n")


def test_a_defect_of_ours_is_not_swallowed(files, monkeypatch):
    def broken(*arguments, **options):
        raise ValueError("a defect")

    monkeypatch.setattr(_diagnose, "measure_turning", broken)
    with pytest.raises(ValueError, match="a defect"):
        cli.main(["diagnose", os.fspath(files / "z.npy")])


def test_help_shows_an_example(capsys):
    status, out, _ = _run(capsys, "--help")
    assert status == 0
    assert "Example: normtheory diagnose" in " ".join(out.split())
    for option in ("--key", "--labels-key", "--second-view", "--drop-bad-rows", "--html", "--json"):
        assert option in out


def test_the_report_says_which_columns_are_the_embedding(capsys, tmp_path):
    arrow = pytest.importorskip("pyarrow")
    z, _ = clusters()
    columns = {f"dim_{k}": z[:, k] for k in range(z.shape[1])}
    path = tmp_path / "z.parquet"
    table = arrow.table({"id": np.arange(len(z)), "score": z[:, 0] * 2, **columns})
    importlib.import_module("pyarrow.parquet").write_table(table, path)
    said = f"the components are the {z.shape[1]} columns dim_0 to dim_{z.shape[1] - 1}"
    doubt = "columns of floats beside the components were left out: score"
    status, out, err = _run(capsys, path, "--html", tmp_path / "z.html")
    assert (status, err) == (0, "")
    assert f"\nRead: {said}.\n" in out
    assert f"\nWARNING: {doubt}.\n" in out
    page = (tmp_path / "z.html").read_text()
    assert f"Read: {said}." in page
    assert f"C{doubt[1:]}." in page
    _, out, _ = _run(capsys, path, "--json")
    found = json.loads(out)
    assert (found["notes"], found["warnings"][0]) == ([said], doubt)
    assert found["norms"] == json.loads(nt.diagnose(z).to_json())["norms"]


def test_rows_that_are_missing_or_of_another_length_are_left_out(capsys, tmp_path):
    arrow = pytest.importorskip("pyarrow")
    z, labels = clusters()
    rows = [*z.tolist()]
    rows[3], rows[7] = None, rows[7][:-1]
    path = tmp_path / "z.parquet"
    table = arrow.table({"embeddings": arrow.array(rows), "labels": labels})
    importlib.import_module("pyarrow.parquet").write_table(table, path)
    status, _, err = _run(capsys, path, "--labels-key", "labels")
    assert (status, "row 3 has no value" in err) == (1, True)
    status, out, _ = _run(capsys, path, "--labels-key", "labels", "--drop-bad-rows", "--json")
    found = json.loads(out)
    assert (status, found["dropped"]) == (0, [3, 7])
    kept = np.delete(np.arange(len(z)), [3, 7])
    expected = nt.diagnose(z[kept], labels[kept])
    assert found["norms"] == json.loads(expected.to_json())["norms"]
    assert found["classes"] == json.loads(expected.to_json())["classes"]


def test_columns_and_an_earlier_checkpoint(capsys, tmp_path):
    z, labels = clusters(60)
    tokens, right = np.arange(60) % 7, labels == 1
    np.savez(tmp_path / "z.npz", embeddings=z, old=2 * z, tokens=tokens, right=right)
    np.save(tmp_path / "z.npy", z)
    given = ("--covariate", "tokens", "--target", "right", "--updates", "3", "--json")
    whole = _run(capsys, tmp_path / "z.npz", "--before-key", "old", *given)
    beside = ("--before", tmp_path / "z.npz", "--before-key", "old", "--columns")
    parts = _run(capsys, tmp_path / "z.npy", *beside, tmp_path / "z.npz", *given)
    expected = nt.diagnose(z, before=2 * z, covariates={"tokens": tokens}, target=right, updates=3)
    assert whole == parts
    assert whole[0] == 0
    assert json.loads(whole[1]) == json.loads(expected.to_json())


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--covariate", "words"), 2, "no entry 'words'; there are: embeddings (float64, 300 x 6)"),
        (("--target", "second_view"), 1, "target: expected one number for each of 300 embeddings"),
        (("--covariate", "topic", "--columns", "none.npz"), 2, "none.npz: no such file"),
    ],
)
def test_columns_that_are_not_there_are_named(capsys, files, arguments, status, said):
    found, out, err = _run(capsys, files / "all.npz", *arguments)
    assert (found, out) == (status, "")
    assert said in err
    assert err.count("\n") == 1
