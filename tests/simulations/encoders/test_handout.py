"""What is handed out: arrays under their names, encoders that make them again, inputs kept."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from simulations import confidence
from simulations.__main__ import main
from simulations._overwrite import keep_inputs
from simulations.confidence import SMOKE
from simulations.encoders.data import Images
from simulations.encoders.handout import HandOut, Parts
from simulations.encoders.saved import Outputs, load
from simulations.encoders.trained import Trained
from simulations.encoders.training import start
from tests.simulations import coloured

TRAIN = confidence._train
RUNS, PARTS = range(2), ("train", "held_out")
SIZES = {"train": 120, "held_out": 80}


def _train(
    settings: confidence.Settings, method: str, images: Images, fit: np.ndarray
) -> tuple[Trained, Trained]:
    """SimCLR is trained; other networks stand for those that SimSiam would train."""
    if method == "SimCLR":
        return TRAIN(settings, method, images, fit)
    recipe, make = settings.recipe(method), settings.learner(method, 3)
    both = np.tile(fit, (2, 1))
    learners = [
        start(recipe, make, [(seed, r) for r in range(len(both))], 0.1).learner for seed in (0, 1)
    ]
    before, after = (Trained(one, images.images[both[:, :40]]) for one in learners)
    return before, after


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 240 coloured shapes, scores of them, and more images."""
    folder = tmp_path_factory.mktemp("handout")
    made = coloured.shapes(24, size=16, seed=1)
    np.savez(folder / "data.npz", images=made["images"], labels=made["labels"])
    scores = made["clear"].copy()
    scores[::20] = np.nan
    np.save(folder / "scores.npy", scores)
    np.save(folder / "more.npy", made["images"][5:8])
    (folder / "pictures").mkdir()
    from PIL import Image

    Image.fromarray(made["images"][9]).save(folder / "pictures" / "9.png")
    return folder


@pytest.fixture(scope="module")
def written(given: Path) -> Path:
    """The folder after ``--save``, of which 20 images a class are taken."""
    settings = dataclasses.replace(
        SMOKE,
        objectives=("SimCLR", "SimSiam"),
        backbone="batch",
        steps=2,
        siamese_steps=2,
        data=str(given / "data.npz"),
        scores=str(given / "scores.npy"),
    )
    hand_out = HandOut(given / "new" / "out.npz", (given / "more.npy", given / "pictures"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(confidence, "_train", _train)
        result = confidence.run(settings, hand_out)
    result.to_netcdf(given / "result.nc", engine="netcdf4")
    return given


class _Told:
    """Two encoders that say which image they saw: its first byte, times 2 and 3 in two runs."""

    method = "told"

    def outputs(self, images: np.ndarray) -> Outputs:
        value = images[:, 0, 0, 0] * np.array([[2.0], [3.0]])
        return Outputs(value[..., None], np.stack([3 * value, 4 * value], axis=-1))

    def save(self, path: Path, **about: Any) -> None:
        path.write_text(json.dumps(about["settings"]))


def test_rows_of_a_run_are_those_of_the_images_it_saw(tmp_path: Path) -> None:
    images = np.arange(10, 16, dtype=np.uint8)[:, None, None, None]
    which = {"train": np.array([[4, 1], [0, 2]]), "held_out": np.array([[5], [3]])}
    labels, index, scores = np.array([0, 1, 2, 0, 1, 2]), np.arange(600, 606), np.arange(6) / 8
    parts = Parts(images, labels, index, ("a", "b", "c"), which, scores)
    hand_out, encoder = HandOut(tmp_path / "out.npz", (tmp_path / "more.npy",)), _Told()
    hand_out.write(SMOKE, [encoder], parts, [images[:3] + 90])  # pyright: ignore[reportArgumentType]
    assert json.loads((tmp_path / "out.told.npz").read_text()) == dataclasses.asdict(SMOKE) | {
        "objectives": list(SMOKE.objectives)
    }
    with np.load(tmp_path / "out.npz", allow_pickle=False) as file:
        found = dict(file)
    assert found["1.train.index"].tolist() == [600, 602]
    assert found["0.train.labels"].tolist() == [1, 1]
    assert found["1.held_out.scores"].tolist() == [3 / 8]
    assert found["told.0.train.backbone"].tolist() == [[28], [22]]
    assert found["told.1.train.projector"].tolist() == [[90, 120], [108, 144]]
    assert found["told.1.held_out.norm"].tolist() == [15 * 13]
    assert found["told.0.embed1.norm"].tolist() == [1000, 1010, 1020]
    assert found["classes"].tolist() == ["a", "b", "c"]


def test_encoders_handed_out_are_those_of_the_first_runs() -> None:
    learners: Any = SimpleNamespace(encoder={"weight": np.arange(6).reshape(3, 2)})
    trained = Trained(learners, np.arange(3)[:, None, None, None, None])
    made: Any = None
    kept = trained.saved(made, 2, "SimCLR", np.zeros((4, 8, 9, 3)))
    assert kept.networks["weight"].tolist() == [[0, 1], [2, 3]]
    assert kept.reference is not None
    assert kept.reference.ravel().tolist() == [0, 1]
    assert (kept.shape, kept.method) == ((8, 9, 3), "SimCLR")


@pytest.mark.slow
def test_every_array_is_there_and_belongs_to_its_image(written: Path) -> None:
    data, scores = np.load(written / "data.npz"), np.load(written / "scores.npy")
    images, labels = data["images"], data["labels"]
    with np.load(written / "new" / "out.npz", allow_pickle=False) as file:
        found = dict(file)
    wanted = {"classes", "about"}
    wanted |= {f"{r}.{p}.{k}" for r in RUNS for p in PARTS for k in ("labels", "index", "scores")}
    wanted |= {
        f"{m}.{r}.{p}.{k}"
        for m in ("SimCLR", "SimSiam")
        for r in RUNS
        for p in (*PARTS, "embed1", "embed2")
        for k in ("backbone", "projector", "norm")
    }
    assert set(found) == wanted
    about = json.loads(str(found["about"]))
    assert about["embed"]["embed2"] == str(written / "pictures")
    assert about["settings"]["backbone"] == "batch"
    for r in RUNS:
        both = np.concatenate([found[f"{r}.{p}.index"] for p in PARTS])
        assert len(set(both.tolist())) == len(both) == 200
        for p in PARTS:
            index = found[f"{r}.{p}.index"]
            assert len(index) == SIZES[p]
            assert (found["classes"][found[f"{r}.{p}.labels"]] == labels[index]).all()
            np.testing.assert_array_equal(found[f"{r}.{p}.scores"], scores[index])
    for method in ("SimCLR", "SimSiam"):
        encoder = load(written / "new" / f"out.{method}.npz")
        assert encoder.method == method
        for part, shown in {"embed1": images[5:8], "embed2": images[9:10]}.items():
            for kind, z in encoder.outputs(shown)._asdict().items():
                for r in RUNS:
                    np.testing.assert_array_equal(found[f"{method}.{r}.{part}.{kind}"], z[r])
        for r in RUNS:
            for part in PARTS:
                name = f"{method}.{r}.{part}"
                out = encoder.outputs(images[found[f"{r}.{part}.index"]])
                np.testing.assert_array_equal(found[f"{name}.backbone"], out.backbone[r])
                np.testing.assert_array_equal(found[f"{name}.projector"], out.projector[r])
                z = found[f"{name}.projector"].astype(float)
                np.testing.assert_allclose(found[f"{name}.norm"], np.sqrt((z**2).sum(axis=1)))


@pytest.mark.slow
def test_votes_of_what_is_handed_out_are_those_of_the_result(written: Path) -> None:
    """The encoder of the file is the trained one: its neighbours are right as often."""
    result = xr.load_dataset(written / "result.nc")
    with np.load(written / "new" / "out.npz") as found:
        for method in ("SimCLR", "SimSiam"):
            for r in RUNS:
                unit = [found[f"{method}.{r}.{p}.projector"] for p in PARTS]
                unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in unit]
                near = np.argsort(-unit[1] @ unit[0].T, axis=1)[:, :3]
                votes = found[f"{r}.train.labels"][near]
                most = np.array([np.bincount(v, minlength=10).argmax() for v in votes])
                share = (most == found[f"{r}.held_out.labels"]).mean()
                expected = result.accuracy.sel(objective=method, run=r, classifier="trained")
                assert share == pytest.approx(float(expected), abs=0.026)  # roundings: two images


@pytest.mark.slow
def test_scores_are_in_the_outcome_and_missing_ones_in_the_notes(written: Path) -> None:
    result = xr.load_dataset(written / "result.nc")
    assert "norm, score" in result.relation.values
    found = result.correlation.sel(relation="contrast, score", scope="all images")
    assert (found.sel(part="value") > 0.3).all()  # shapes that stand out have more contrast
    (note,) = [line for line in result.attrs["notes"].splitlines() if "scores.npy" in line]
    assert " of 200 images have no score (NaN) and are left out of correlations with it" in note


def test_an_input_is_never_written_over(tmp_path: Path) -> None:
    there, other = tmp_path / "in.npz", tmp_path / "out.npz"
    there.write_bytes(b"precious")
    keep_inputs([other], [there])
    soft, hard = tmp_path / "soft.npz", tmp_path / "hard.npz"
    soft.symlink_to(there)
    os.link(there, hard)
    for path in (there, soft, hard):
        with pytest.raises(ValueError, match=r"expected another file than the input .*in\.npz"):
            keep_inputs([other, path], [there])
    for twice in ([other, tmp_path / "x" / ".." / "out.npz"], [there, hard]):
        with pytest.raises(ValueError, match="expected another file than the other output"):
            keep_inputs(twice, [])


def outcome(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main(["confidence", "--smoke", *arguments])
    return status, capsys.readouterr().err


def test_mistakes_are_said_before_anything_is_trained(
    given: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: object) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr(confidence, "_train", train)
    data, new = ["--data", str(given / "data.npz")], str(given / "x.npz")
    before = (given / "data.npz").read_bytes()
    (given / "z.SimSiam.npz").symlink_to(given / "data.npz")
    (given / "empty").mkdir()
    (given / "few.txt").write_text("1\n2\n")
    cases = {
        "--embed: expected --save FILE.npz as well": ["--embed", str(given / "more.npy")],
        "out.pt: expected a name that ends in .npz": ["--save", "out.pt"],
        "data.npz: expected another file than the input": ["--save", str(given / "data.npz")],
        "z.SimSiam.npz: expected another file than the input": ["--save", str(given / "z.npz")],
        "data.npz: expected another file than": ["--output", str(given / "data.npz")],
        "scores.npy: expected another file than the input": [
            *("--scores", str(given / "scores.npy"), "--output", str(given / "scores.npy"))
        ],
        "more.npy: expected another file than the input": [
            *("--embed", str(given / "more.npy"), "--output", str(given / "more.npy")),
            *("--save", new),
        ],
        "x.npz: expected another file than the other output": ["--save", new, "--output", new],
        "few.txt: expected one number for each of 240 images, got 2": [
            *("--scores", str(given / "few.txt"))
        ],
        "empty: expected png or jpg files, found none": [
            *("--save", new, "--embed", str(given / "empty"))
        ],
    }
    for message, arguments in cases.items():
        status, said = outcome([*data, *arguments], capsys)
        assert status == 2, said
        assert message in said
        assert said.count("\n") == 1
    assert (given / "data.npz").read_bytes() == before
    status, said = outcome([*data, "--save", new, "--embed", str(given / "no.npy")], capsys)
    assert (status, said) == (1, f"simulations: no such file or folder: {given / 'no.npy'}\n")


def test_the_command_saves_and_says_notes_and_outcome(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def run(settings: confidence.Settings, hand_out: HandOut | None = None) -> xr.Dataset:
        asked.append(hand_out)
        return xr.Dataset(attrs={"notes": "one\ntwo", "outcome": "it came out"})

    monkeypatch.setattr(confidence, "run", run)
    files = [str(tmp_path / name) for name in ("o.npz", "a.npy", "b")]
    save = ["--save", files[0], "--embed", files[1], "--embed", files[2]]
    for arguments in ([], save, save, []):
        assert main(["confidence", "--smoke", *arguments]) == 0
        printed = capsys.readouterr()
        assert printed.out.endswith("\nit came out\n")
        assert printed.err == "simulations: one\nsimulations: two\n"
    # A kept result does for the last, but not where files are wanted.
    hand_out = HandOut(Path(files[0]), (Path(files[1]), Path(files[2])))
    assert asked == [None, hand_out, hand_out]
    assert main(["confidence", "--smoke", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["attrs"]["outcome"] == "it came out"


def test_help_says_what_options_and_settings_mean(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    assert main(["confidence", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for line in (
        "--save FILE.npz write what backbone and projector make of the images",
        "--embed FOLDER|FILE further images for --save",
        "--per-class VALUE images of a class at most (default 500)",
        "where there is none (default none)",
    ):
        assert line in said
    assert main(["gradscale_training", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "--latent-dimension VALUE of the space of the class centres (default" in said
