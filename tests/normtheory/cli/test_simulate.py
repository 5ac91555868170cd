"""``normtheory simulate``: what a configuration runs, exit statuses, one-line errors."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

import normtheory as nt
from normtheory import cli
from normtheory.cli import _clouds
from normtheory.cli import _simulate as simulate
from normtheory.cli._config import checked
from normtheory.particles import checkpoint
from normtheory.particles.checkpoint import _checkpoint
from tests.normtheory.particles.checkpoint.test_checkpoint import flipped, small_disk

EXAMPLES = Path(cli.__file__).parent / "examples"

CONFIG = """
seed = 1
[[clouds]]
n = 8
dimension = 4
[[clouds]]
norm = 2.0
[force]
name = "attraction"
[system]
learning_rate = 0.5
[run]
max_steps = 30
record = ["loss", "norms"]
record_every = 10
chunk_steps = 7
"""


def _run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main(["simulate", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def _sets(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run.toml"
    path.write_text(CONFIG)
    return path


def _json(capsys, *arguments) -> dict:
    status, out, err = _run(capsys, *arguments, "--json")
    assert (status, err) == (0, "")
    return json.loads(out, parse_constant=pytest.fail)


def test_pairs_example(capsys):
    path = EXAMPLES / "pairs.toml"
    found = _json(capsys, path, *_sets("clouds.0.n=60", "clouds.1.norm=2"))
    # The same clouds through the exact recursion of the pair.
    config = simulate.config(path, ["clouds.0.n=60", "clouds.1.norm=2"])
    z, y = _clouds.clouds(config)[0](0)
    exact = nt.simulate_pairs(nt.angle(z, y), 1.0, 2.0, 10 / 60, tolerance=1e-3)
    assert found["steps"] == int(exact.steps)
    assert found["converged"] is True
    assert found["config"]["clouds"][1] == {"distribution": "uniform", "norm": 2}
    norms = found["data"]["norms"]
    assert norms["dims"] == ["step", "cloud", "quantile"]
    np.testing.assert_allclose(np.array(norms["values"])[0], [[1] * 5, [2] * 5], rtol=1e-15)


def test_info_nce_example(capsys, tmp_path):
    settings = (
        "clouds.0.n=16",
        "run.max_steps=60",
        "schedule.warmup=10",
        "schedule.steps=60",
        "run.record_every=20",
        f'checkpoint.folder="{tmp_path / "made" / "here"}"',
    )
    found = _json(capsys, EXAMPLES / "info_nce.toml", *_sets(*settings), "--resume")
    data = {name: x["values"] for name, x in found["data"].items()}
    assert found["dtype"] == "float32"
    assert data["loss"][-1] < data["loss"][0]
    assert data["alignment"][-1] < data["alignment"][0] / 10
    assert data["uniformity"][-1] < data["uniformity"][0]  # spread out
    path = checkpoint.latest(tmp_path / "made" / "here")
    assert path is not None
    assert path.name == "step-0000000060.npz"


def test_sweep_example(capsys):
    path = EXAMPLES / "sweep.toml"
    settings = _sets(
        "clouds.0.n=20", "sweep.norm=[1, 4]", "sweep.seed=[3]", "sweep.gradscale=[0, 2]"
    )
    found = _json(capsys, path, *settings)
    steps = np.array(found["data"]["steps"]["values"])[..., 0]
    assert found["data"]["steps"]["dims"] == ["norm", "gradscale", "seed"]
    assert steps[1, 0] / steps[0, 0] == pytest.approx(16, rel=0.03)
    assert steps[1, 1] == steps[0, 1]
    status, out, _ = _run(capsys, path, *settings)
    lines = out.splitlines()
    assert status == 0
    assert lines[0].split() == ["norm", "gradscale", "seed", "steps", "converged", "loss"]
    assert lines[1].split()[:5] == ["1", "0", "3", str(steps[0, 0]), "yes"]
    assert len(lines) == 5


def test_classes_example(capsys):
    settings = _sets("clouds.0.n=16", "run.max_steps=400", "run.record_every=400")
    found = _json(capsys, EXAMPLES / "classes.toml", *settings)
    norms = np.array(found["data"]["class_norm"]["values"])
    np.testing.assert_allclose(norms[0], 0.3, rtol=1e-14)
    assert (np.diff(norms[-1]) > 0).all()
    # The quarter power of 8 is 1.68.
    assert norms[-1, 3] / norms[-1, 0] == pytest.approx(8**0.25, abs=0.25)


@pytest.mark.parametrize(("norm", "exponent"), [(1.0, 1.0), (2.0, 0.25)])
def test_clip_example(capsys, norm, exponent):
    settings = [f"clouds.{k}.norm={norm}" for k in (0, 1)]
    settings += ["run.max_steps=400", "run.record_every=400"]
    found = _json(capsys, EXAMPLES / "clip.toml", *_sets(*settings))["data"]
    gap, temperature = (np.log(found[name]["values"]) for name in ("modality_gap", "temperature"))
    # A random start is off the symmetric state: over seeds by 8 % with a standard deviation of 3 %.
    # False alarms: below 1e-7 by 5.7 of them, from five seeds.
    assert np.ptp(gap) / np.ptp(temperature) == pytest.approx(exponent, rel=0.25)


def test_every_example_is_tested():
    names = {path.stem for path in EXAMPLES.glob("*.toml")}
    assert names == {
        name.removeprefix("test_").removesuffix("_example")
        for name in globals()
        if name.endswith("_example")
    }


def test_text(capsys, file):
    status, out, err = _run(capsys, file, *_sets("stop.mean_cosine=1e-3"))
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0] == "30 steps, not converged"
    assert lines[1].split() == ["step", "0", "step", "30"]
    assert lines[3].startswith("norms[0], quantile 0 0.25 0.5 0.75 1  1 1 1 1 1 ")
    status, out, _ = _run(capsys, file, *_sets("run.record=[]", "run.max_steps=0"))
    assert out == "0 steps\n"


def test_overrides_are_toml_or_a_word(capsys, file):
    settings = ("dtype=float32", "clouds.1.norm=[1,2,3,4,5,6,7,8]", "optimizer={name='momentum'}")
    found = _json(capsys, file, *_sets(*settings, "run.record_every=30", "optimizer.decay = 0.5"))
    assert found["dtype"] == "float32"
    assert found["config"]["optimizer"] == {"name": "momentum", "decay": 0.5}
    assert np.array(found["data"]["norms"]["values"])[0, 1, [0, 4]] == pytest.approx([1, 8])


def test_everything_that_a_configuration_can_say(capsys, file):
    file.write_text("""
seed = 2
dtype = "float64"
[[clouds]]
n = 8
dimension = 3
distribution = "pairs"
angle = 0.75
norm = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
norm_j = { low = 0.5, high = 0.6 }
[[clouds]]
n = 2
distribution = "von_mises_fisher"
concentration = 50
mean = [0.0, 1.0, 0.0]
[classes]
sizes = [3, 5]
[[force]]
name = "attraction"
clouds = [0, 1]
[[force]]
name = "normface"
clouds = [0, 2]
weight = 0.5
scale = 4.0
[system]
learning_rate = 0.1
reduction = "sum"
weight_decay = 0.01
gradscale = 1.0
frozen = [2]
norm = 2.0
[optimizer]
name = "adamw"
b1 = 0.8
[schedule]
name = "linear"
steps = 100
end = 0.5
[sampling]
size = 4
replace = false
class_frequencies = [1.0, 1.0]
[stop]
mean_cosine = 1e-9
loss = -1e9
gradient = 1e-12
[run]
max_steps = 3
record = ["loss", "mean_cosine", "norms", "class_norm"]
""")
    found = _json(capsys, file)
    data = {name: np.array(x["values"]) for name, x in found["data"].items()}
    assert data["mean_cosine"][0] == pytest.approx(np.cos(0.75), rel=1e-12)
    np.testing.assert_allclose(data["norms"][:, :2], 2.0, rtol=1e-15)
    np.testing.assert_allclose(data["norms"][:, 2], 1.0, rtol=1e-15)
    assert set(found["stop"]) == {"mean_cosine", "loss", "gradient"}
    assert (found["steps"], found["converged"]) == (3, False)


BAD = [
    ("system.learning_rat=1", "system.learning_rat: no such key; did you mean learning_rate?"),
    ("sytem.norm=1", "sytem: no such key; did you mean system? allowed: seed, dtype, clouds"),
    ("system.learning_rate=fast", "system.learning_rate: expected a number, got 'fast'"),
    ("system.learning_rate=-1", "system.learning_rate: expected a finite number and > 0, got -1"),
    ("system.reduction=men", "system.reduction: expected 'mean' or 'sum', got 'men'"),
    ("system.weight_decay=3", "weight_decay"),
    ("system.frozen=[0, 1]", "nothing moves"),
    ("system.frozen=[7]", "frozen: expected places of the 2 clouds, got 7"),
    ("seed=-1", "seed: expected an integer >= 0, got -1"),
    ("dtype=float16", "dtype: expected one of float32, float64; got 'float16'"),
    ("clouds.0.n=0", "clouds.0.n: expected an integer >= 1, got 0"),
    ("clouds.0.norm=-1", "clouds.0.norm: expected a finite number and > 0, got -1"),
    ("clouds.0.norm=[1.0, 2.0]", "clouds.0.norm: expected 8 numbers, one a row, got 2"),
    ("clouds.0.norm={low=1}", "clouds.0.norm: expected {low = ..., high = ...}"),
    ("clouds.0.distribution=unifrm", "did you mean uniform?"),
    ("clouds.0.distribution=pairs", "clouds.0.angle: missing, expected radians"),
    ("clouds.0.angle=1", "clouds.0.angle: only for distribution 'pairs', not 'uniform'"),
    ("clouds.5.n=1", "--set clouds.5.n: expected a place below 2, got '5'"),
    ("seed.x=1", "--set seed.x: there is no table to set x in"),
    ("clouds=3", "clouds: expected one or more tables [[clouds]], got 3"),
    ("clouds.1.n=9", "clouds: expected clouds with the same number of rows, got z_1 (8, 4)"),
    ("force.name=atraction", "force.name: expected one of alignment, arcface"),
    ("force.name=atraction", "(did you mean attraction?)"),
    ("force.temperature=1", "force.temperature: no such key; allowed: name, clouds, weight"),
    ("force={name='supcon'}", "force: supcon: expected the option labels"),
    ("force={name='info_nce', temperature=0}", "force.temperature: expected a finite number and"),
    ("force={name='info_nce', temprature=1}", "force.temprature: no such key; did you mean temp"),
    ("force=[]", "force: expected a table [force] or several [[force]], got []"),
    (
        "optimizer.name=adm",
        "optimizer.name: expected one of sgd, momentum, adam, adamw, lion",
    ),
    ("optimizer={name='muon', lazy=true}", "optimizer: rule: expected one that works on vectors"),
    ("optimizer={name='adam', lazy=1}", "optimizer.lazy: expected true or false, got 1"),
    ("optimizer={name='adam', decay=1}", "optimizer.decay: no such key; allowed: name, b1, b2"),
    ("optimizer={name='momentum', decay=1}", "optimizer.decay: expected < 1, got 1"),
    ("schedule={name='cosine'}", "schedule.steps: missing, expected an integer"),
    ("sampling.size=0", "sampling.size: expected an integer >= 1, got 0"),
    ("sampling={size=2, probability=0.5}", "sampling: expected either size"),
    ("sampling={size=2, class_frequencies=[1]}", "class_frequencies: expected a table [classes]"),
    ("sampling={size=2, frequencies=[1]}", "sampling: expected 8 frequencies"),
    ("classes.count=9", "classes.count: expected an integer in [1, 8], got 9"),
    ("classes.sizes=[1, 2]", "classes.sizes: expected integers >= 1 with sum 8, got [1, 2]"),
    ("stop.mean_cosine=5", "stop.mean_cosine: tolerance: expected"),
    ("stop.loss_tolerance=5", "stop.loss_tolerance: only together with loss"),
    ("run.max_steps=1.5", "run.max_steps: expected an integer, got 1.5"),
    ("run.max_steps=-1", "run.max_steps: expected an integer >= 0, got -1"),
    ("run.record=['los']", "run.record: expected one of loss, mean_cosine"),
    ("trained.bias.rate=1", "trained.bias.rate: no such key; allowed: learning_rate"),
    ("trained.bias={}", "trained.bias.learning_rate: missing, expected a number >= 0"),
    ("trained.bias.learning_rate=-1", "trained.bias.learning_rate: expected a finite number and"),
    (
        "trained.bias.learning_rate=1",
        "normtheory: trained.bias: this system has no such number",
    ),
    (
        "trained.bias={learning_rate=1, optimizer={name='adm'}}",
        "trained.bias.optimizer.name: expected one of sgd, momentum",
    ),
    ("run.record=['class_norm']", "class_norm: expected a table [classes] too"),
    ("run.record=['frequency_norm']", "frequency_norm: expected sampling.frequencies"),
    ("run.rotation_steps=3", "run.rotation_steps: only with rotation in run.record"),
    ("run.devices=some", "run.devices: expected one of one, all; got 'some'"),
    ("run.rotation_steps=0", "run.rotation_steps: expected an integer >= 1, got 0"),
    ("checkpoint.every=1", "checkpoint.folder: missing"),
    ("checkpoint={folder='x', keep=1}", "checkpoint.keep: expected an integer >= 2, got 1"),
    ("sweep.norm=[]", "sweep.norm: expected a list of numbers, got []"),
    ("sweep.nrm=[1.0]", "sweep.nrm: this system has no such number; it has"),
    ("sweep.norm={low=1}", "sweep.norm: expected {low = ..., high = ..., count = ...}"),
    ("sweep.norm={low=1, high=2, count=2.5}", "an integer count up to 1000000, got {"),
    ("sweep.norm={low=1, high=inf, count=2}", "an integer count up to 1000000, got {"),
    ("sweep.norm={low=1, high=2, count=0}", "an integer count up to 1000000, got {"),
    ("sweep.norm={low=1, high=2, count=1000001}", "an integer count up to 1000000, got {"),
    ("seed=9223372036854775808", "seed: expected an integer of 64 bits, got one of 64"),
    ("seed=-9223372036854775809", "seed: expected an integer of 64 bits, got one of 64"),
    ("seed=-9223372036854775808", "seed: expected an integer >= 0, got -9223372036854775808"),
    (
        f"system.norm=[1, {10**400}]",
        "system.norm.1: expected an integer of 64 bits, got one of 1329",
    ),
    ("seed=" + 5000 * "1", "--set seed: expected an integer of 64 bits, got thousands of digits"),
    (f"clouds.{5000 * '1'}.n=1", "expected a place below 2, got '1111"),
    ("clouds.1.n=1000000000000", "clouds.1: expected n · dimension of at most 1e+12"),
    (f"stop.loss={1000 * '['}{1000 * ']'}", "--set stop.loss: nested too deeply"),
    ("clouds.0.norm.a.b.c.d.e.f=1", "clouds.0.norm.a.b.c.d.e.f: nested too deeply"),
    ("stop={mean_cosine=1, clouds=[0, 2]}", "stop.clouds: expected places of the 2 clouds, got 2"),
    (
        "stop={mean_cosine=1, clouds=[-1, 0]}",
        "stop.mean_cosine: clouds: expected an integer >= 0, got -1",
    ),
    ("system.\x1b[31m\n=1", r"system.\x1b[31m: no such key"),
    ("system.a\nb=1", r"system.a\nb: no such key"),
    (f"system.{'x' * 10**5}=1", "xxx: no such key; allowed: learning_rate, reduction"),
    ("system.reduction=" + "x" * 10**5, "reduction: expected 'mean' or 'sum', got 'xxx"),
    ("force.name=" + "x" * 10**5, "uniformity; got 'xxxx"),
    ("sweep.memory=1", "sweep: expected at least one axis"),
    ("sweep.norm=[1]", "run.chunk_steps: not with [sweep]"),
    ("system", "--set system: expected KEY=VALUE"),
]


@pytest.mark.parametrize(("setting", "message"), BAD)
def test_a_bad_configuration_names_the_key_and_what_was_allowed(capsys, file, setting, message):
    if setting.startswith("sweep.nrm"):
        file.write_text(CONFIG.replace("chunk_steps = 7", ""))
    status, out, err = _run(capsys, file, *_sets(setting))
    assert (status, out) == (2, "")
    assert err.startswith("normtheory: ")
    assert message in err
    assert err.count("\n") == 1
    assert len(err) < 1100
    assert list(file.parent.iterdir()) == [file]


def test_bad_files_and_options_are_one_line_and_2(capsys, file):
    (file.parent / "broken.toml").write_text("seed = 1\nn = = 3")
    (file.parent / "empty.toml").write_text("")
    for arguments, message in (
        (("gone.toml",), "gone.toml: No such file or directory"),
        (("broken.toml",), "broken.toml: Invalid value (at line 2, column 5)"),
        (("empty.toml",), "clouds: expected one or more tables [[clouds]], got None"),
        ((file, "--resume"), "--resume: expected checkpoint.folder in the configuration"),
        ((file, "--output", "no/such.nc"), "no/such.nc: there is no folder no"),
        ((file, "--output", "."), ".: expected the name of a file, got a folder"),
        ((300 * "x",), "xxx: File name too long"),
        ((file, "--output", 300 * "x" + ".nc"), "xxx.nc: File name too long"),
        ((file, "--nonsense"), "No such option"),
        ((), "Missing argument 'CONFIG'"),
    ):
        status, out, err = _run(capsys, *arguments)
        assert (status, out) == (2, "")
        assert err.startswith("normtheory: ")
        assert message in err
        assert err.count("\n") == 1


@pytest.mark.parametrize("sweep", [[], ["sweep.learning_rate=[1.0]"]], ids=["run", "sweep"])
def test_a_step_beyond_all_memory_is_refused_before_it_ends_the_process(capsys, file, sweep):
    file.write_text(CONFIG.replace("chunk_steps = 7", ""))
    settings = ["force={name='info_nce', temperature=1}", "sampling.size=2147483647", *sweep]
    status, out, err = _run(capsys, file, *_sets(*settings))
    assert (status, out) == (2, "")
    # 2³¹ · 2³¹ similarities of 8 bytes, four arrays of them.
    assert "a step needs about 1e+20 bytes, more than there can be" in err
    assert err.count("\n") == 1


def test_a_sweep_compares_clouds_that_there_are(capsys, file):
    file.write_text(CONFIG.replace("chunk_steps = 7", ""))
    settings = ["stop={mean_cosine=1, clouds=[0, 2]}", "sweep.learning_rate=[1.0]"]
    status, _, err = _run(capsys, file, *_sets(*settings))
    assert status == 2
    assert err == "normtheory: sweep: stop.clouds: expected places of the 2 clouds, got 2\n"


def test_a_machine_without_the_memory_for_a_step_is_one_line():
    full = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes")
    with pytest.raises(simulate.RunError, match=r"memory .* fewer rows"), simulate._told():
        raise full
    with pytest.raises(jax.errors.JaxRuntimeError), simulate._told():
        raise jax.errors.JaxRuntimeError("INTERNAL: of another kind")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OverflowError("int too large"), "clouds.0: a number in it is too large to compute with"),
        (MemoryError(), "clouds.0: expected what fits into the memory of this machine"),
        (ValueError("norm: is\nwrong"), "clouds.0.norm: is wrong"),
    ],
)
def test_what_a_section_is_too_large_for_is_said_of_it(error, message):
    with pytest.raises(simulate.ConfigError) as found, simulate.section("clouds.0", ["norm"]):
        raise error
    assert str(found.value) == message


def test_a_number_is_a_float_however_it_is_written():
    kinds = {"end": "a number", "steps": "an integer", "norm": "a number or a list of numbers"}
    found = checked({"end": -(2**63), "steps": 3, "norm": [1]}, "schedule", kinds)
    assert found == {"end": -(2.0**63), "steps": 3, "norm": [1]}
    assert isinstance(found["end"], float)


def test_a_run_that_blows_up_is_one_line_and_1(capsys, file):
    settings = _sets("system.learning_rate=1e15", "clouds.0.norm=1e-30", "dtype=float32")
    status, out, err = _run(capsys, file, *settings)
    assert (status, out) == (1, "")
    assert err.startswith("normtheory: clouds[0] row 0 is not finite at step")
    assert err.count("\n") == 1


def test_the_result_is_written_whole_or_not_at_all(capsys, file):
    found = _json(capsys, file, "--output", "run.nc")
    with xr.open_dataset("run.nc") as data:
        assert data.loss.values.tolist() == found["data"]["loss"]["values"]
        assert data.step.values.tolist() == [0, 10, 20, 30]
        # It says how to make it again.
        assert json.loads(data.attrs["config"]) == found["config"]
        assert {"system", "stop", "dtype", "device", "versions", "seed"} <= set(data.attrs)
    assert _run(capsys, file, "--output", "run.nc")[1].endswith("\n\nwritten to run.nc\n")
    before = Path("run.nc").read_bytes()
    with small_disk(3000):
        status, out, err = _run(capsys, file, "--output", "run.nc")
    assert (status, out) == (1, "")
    assert "run.nc: cannot be written" in err
    assert err.count("\n") == 1
    assert Path("run.nc").read_bytes() == before
    assert sorted(os.listdir()) == ["run.nc", "run.toml"]


SAVING = _sets("checkpoint.folder=saved", "checkpoint.every=1")


def test_resuming_gives_the_same_numbers(capsys, file):
    whole = _json(capsys, file, *_sets("run.max_steps=60"))
    _json(capsys, file, *SAVING)
    again = _run(capsys, file, *SAVING)
    assert again[0] == 1
    assert "saved holds step-0000000030.npz of an earlier run: resume that" in again[2]
    flipped(Path("saved/step-0000000030.npz"))
    status, out, err = _run(capsys, file, *SAVING, *_sets("run.max_steps=60"), "--resume", "--json")
    assert status == 0
    assert err.startswith("normtheory: warning: saved/step-0000000030.npz: damaged checkpoint")
    assert err.count("\n") == 1
    assert json.loads(out)["data"] == whole["data"]
    status, _, err = _run(capsys, file, *SAVING, *_sets("system.learning_rate=1"), "--resume")
    assert status == 1
    assert "of a run with other settings: learning_rate: 0.5 there and 1.0 here" in err
    schedule = _sets("schedule={name='cosine', steps=9}", "run.max_steps=60")
    status, _, err = _run(capsys, file, *SAVING, *schedule, "--resume")
    assert status == 1
    assert "schedule" in err


def test_what_cannot_be_saved_is_one_line_and_1(capsys, file):
    status, out, err = _run(capsys, file, *_sets("checkpoint.folder='run.toml/below'"))
    assert (status, out) == (1, "")
    assert "checkpoints can't be written to run.toml/below: Not a directory" in err
    with small_disk(1500):
        full = _run(capsys, file, *SAVING)
    assert full[:2] == (1, "")
    assert "no checkpoint of step 7 in saved: File too large" in full[2]
    assert [text.count("\n") for text in (err, full[2])] == [1, 1]
    assert os.listdir("saved") == []


def test_an_interrupt_leaves_the_last_checkpoint_and_exits_with_130(capsys, file, monkeypatch):
    save, saved = checkpoint.save, []

    def interrupted(*arguments, **options):
        if saved:
            raise KeyboardInterrupt
        saved.append(save(*arguments, **options))

    monkeypatch.setattr(_checkpoint, "save", interrupted)
    status, out, err = _run(capsys, file, *SAVING, "--output", "run.nc")
    assert (status, out, err) == (130, "", "normtheory: interrupted\n")
    assert not Path("run.nc").exists()
    found = checkpoint.latest("saved")
    assert found is not None
    assert found.name == "step-0000000007.npz"


def test_help(capsys):
    status, out, _ = _run(capsys, "--help")
    assert status == 0
    assert "Example: normtheory simulate --example pairs > pairs.toml" in " ".join(out.split())
    options = ("--example classes|clip|info_nce|pairs|sweep", "--set", "--output", "--resume")
    for option in (*options, "--json"):
        assert option in out


def test_examples_travel_with_the_package(capsys):
    for path in EXAMPLES.iterdir():
        assert _run(capsys, "--example", path.stem) == (0, path.read_text(), "")
    status, out, err = _run(capsys, "--example", "pair")
    assert (status, out) == (2, "")
    assert "expected one of classes, clip, info_nce, pairs, sweep, got 'pair'" in err


@pytest.mark.parametrize("name", ["run.csv", "run.json", "run.nc.gz"])
def test_a_result_gets_no_name_of_another_format(capsys, file, name):
    status, out, err = _run(capsys, file, "--output", name)
    assert (status, out) == (2, "")
    assert err == (
        f"normtheory: {name}: expected a name that ends in .nc, since NetCDF is written; "
        "--json prints the numbers\n"
    )
    assert not Path(name).exists()
