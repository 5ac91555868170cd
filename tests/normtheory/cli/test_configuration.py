"""What the words of a configuration mean, each against numbers that are found without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from normtheory import cli
from normtheory.cli import _clouds, _config, _output, _system
from normtheory.cli import _simulate as simulate
from normtheory.particles import System, forces, init, observables, optimizers, run, sampling

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
max_steps = 12
"""


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run.toml"
    path.write_text(CONFIG)
    return path


def _found(file: Path, *settings: str, **options: Any) -> xr.Dataset:
    return simulate.execute(simulate.config(file, settings), **{"resume": False, **options})


def _run(capsys, *arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main(["simulate", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


@pytest.mark.parametrize("side_by_side", [False, True], ids=["run", "sweep"])
def test_the_seed_is_that_of_the_clouds_and_of_the_draws(file, side_by_side):
    seed = 7
    settings = [f"seed={seed}", "sampling.size=2"]
    if side_by_side:
        settings.append("sweep.learning_rate=[0.5]")
    found = float(_found(file, *settings).loss.values.ravel()[-1])
    system = System(forces.attraction(), 0.5, sampling=sampling.minibatch(2))
    draw, _ = _clouds.clouds(simulate.config(file, settings))

    def expected(of_clouds: int, of_draws: int) -> float:
        done = run(system, init(system, *draw(of_clouds), seed=of_draws), 12)
        return float(done.dataset.loss.values[-1])

    assert found == pytest.approx(expected(seed, seed), rel=1e-12)
    assert found != pytest.approx(expected(seed, seed + 1), rel=1e-3)
    assert found != pytest.approx(expected(seed + 1, seed), rel=1e-3)


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        ("norm={low=1, high=16, count=5}", [1, 2, 4, 8, 16]),
        ("learning_rate={low=0.01, high=1, count=3}", [0.01, 0.1, 1.0]),
        ("norm={low=3, high=12, count=1}", [3]),
        ("norm=[1, 5, 6]", [1, 5, 6]),
        ("force.1.temperature=[0.1, 0.2]", [0.1, 0.2]),
        ("trained.bias.learning_rate={low=1, high=4, count=3}", [1, 2, 4]),
    ],
)
def test_an_axis_between_bounds_has_equal_ratios(file, axis, expected):
    axes, _ = simulate._axes(simulate.config(file, [f"sweep.{axis}"]))
    ((name, values),) = axes.items()
    assert axis.startswith(f"{name}=")
    np.testing.assert_allclose(values, expected, rtol=1e-14)


def _cosine(share: float, end: float) -> float:
    return end + (1 - end) * (1 + np.cos(np.pi * share)) / 2


SCHEDULES = [
    ("name='linear', steps=8, end=0.5", [1 - 0.5 * t / 8 for t in range(8)] + [0.5] * 4),
    ("name='linear', steps=16", [1 - t / 16 for t in range(12)]),
    ("name='cosine', steps=8, end=0.25", [_cosine(min(t / 8, 1), 0.25) for t in range(12)]),
    ("name='cosine', steps=16", [_cosine(t / 16, 0.0) for t in range(12)]),
    ("name='exponential', steps=4, factor=0.5", [0.5 ** (t / 4) for t in range(12)]),
    (
        "name='warmup_cosine', warmup=4, steps=12, end=0.5",
        [t / 4 for t in range(4)] + [_cosine((t - 4) / 8, 0.5) for t in range(4, 12)],
    ),
]


@pytest.mark.parametrize(("schedule", "factors"), SCHEDULES)
def test_a_schedule_multiplies_the_rate_of_every_step(file, schedule, factors):
    config = simulate.config(file, [f"schedule={{{schedule}}}"])
    system = _system.system(config, None)
    with jax.enable_x64(True):
        rates = [float(system.rate(jnp.int32(t), np.float64)) for t in range(12)]
    # Some schedules of optax divide counts in single precision.
    np.testing.assert_allclose(rates, 0.5 * np.array(factors), rtol=2e-7, atol=1e-15)


def test_every_schedule_is_tested():
    assert {text.split("'")[1] for text, _ in SCHEDULES} == set(_system.SCHEDULES)


def test_a_run_is_not_resumed_under_another_schedule_of_the_same_name(capsys, file):
    def command(schedule: str, *more: str) -> tuple[int, str, str]:
        settings = ("checkpoint.folder=saved", f"schedule={{name='cosine', {schedule}}}")
        return _run(capsys, file, *(w for x in settings for w in ("--set", x)), *more)

    assert command("steps=9", "--set", "run.max_steps=4")[0] == 0
    for other in ("steps=10", "steps=9, end=0.5"):
        status, out, err = command(other, "--resume")
        assert (status, out) == (1, "")
        assert "of a run with other settings: schedule" in err
    status, out, _ = command("steps=9", "--resume")
    assert (status, out.splitlines()[0]) == (0, "12 steps")


@pytest.mark.parametrize(
    ("n", "classes", "expected"),
    [
        (8, {"count": 2}, [0, 0, 0, 0, 1, 1, 1, 1]),
        (7, {"count": 3}, [0, 0, 0, 1, 1, 2, 2]),
        (3, {"count": 3}, [0, 1, 2]),
        (3, {"count": 1}, [0, 0, 0]),
        (6, {"sizes": [1, 3, 2]}, [0, 1, 1, 1, 2, 2]),
    ],
)
def test_classes_stand_in_blocks(n, classes, expected):
    labels = _clouds.labels({"classes": classes}, n)
    assert labels is not None
    assert labels.tolist() == expected


@pytest.mark.parametrize(
    ("norms", "first", "second"),
    [
        ({}, [1] * 3, [1] * 3),
        ({"norm": 2.5}, [2.5] * 3, [2.5] * 3),
        ({"norm": [1, 2, 4]}, [1, 2, 4], [1, 2, 4]),
        ({"norm_j": 3.0}, [1] * 3, [3] * 3),
        ({"norm": 2.5, "norm_j": [3, 4, 5]}, [2.5] * 3, [3, 4, 5]),
    ],
)
def test_partners_have_the_norm_of_the_first_unless_told_otherwise(norms, first, second):
    table = {"n": 3, "dimension": 5, "distribution": "pairs", "angle": 0.5, **norms}
    draw, n = _clouds.clouds({"clouds": table})
    assert n == 3
    z, y = draw(4)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), first, rtol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(y, axis=1), second, rtol=1e-14)
    products = np.einsum("ij,ij->i", z, y) / np.multiply(first, second)
    np.testing.assert_allclose(products, np.cos(0.5), rtol=1e-13)


@pytest.mark.parametrize("place", ["2", "5", "-1", "x"])
@pytest.mark.parametrize("rest", [".n", ""])
def test_a_place_that_a_list_does_not_have_is_one_line(capsys, file, place, rest):
    status, out, err = _run(capsys, file, "--set", f"clouds.{place}{rest}=1")
    assert (status, out) == (2, "")
    message = f"--set clouds.{place}{rest}: expected a place below 2, got '{place}'"
    assert err == f"normtheory: {message}\n"


def test_the_last_place_of_a_list_can_be_set(file):
    found = simulate.config(file, ["clouds.1.norm=4", "clouds.0={n=6, dimension=3}"])
    assert found["clouds"] == [{"n": 6, "dimension": 3}, {"norm": 4}]


def test_classes_are_drawn_with_their_frequencies_whatever_their_sizes(file):
    config = simulate.config(
        file,
        ["classes.sizes=[1, 2, 5]", "sampling={size=4, class_frequencies=[2.0, 1.0, 1.0]}"],
    )
    labels = _clouds.labels(config, 8)
    system = _system.system(config, labels)
    # Of every row: 1/2 of all draws for the only row of the first class, 1/4 between two, five.
    bounds = np.concatenate([[0], system.sampling.cumulative]) / 2.0**31
    np.testing.assert_allclose(np.diff(bounds), [1 / 2, *[1 / 8] * 2, *[1 / 20] * 5], atol=1e-9)


@pytest.mark.slow
def test_the_loss_stops_a_run_within_its_tolerance(file):
    every = _found(file, "run.record_every=1", "run.max_steps=30")
    losses = every.loss.values
    assert (np.diff(losses) < 0).all()
    target = float(losses[20])
    for tolerance, expected in (
        (0.0, 20),
        (float(losses[10]) - target + 1e-9, 10),
        (float(losses[10]) - target - 1e-9, 11),
    ):
        found = _found(
            file, "run.max_steps=30", f"stop={{loss={target!r}, loss_tolerance={tolerance!r}}}"
        )
        assert found.attrs["steps"] == expected
        assert found.attrs["converged"]


@pytest.mark.parametrize("force", ["force", "[[force]]"])
def test_the_weight_of_a_force_counts_also_where_it_is_the_only_one(file, force):
    if force == "[[force]]":
        file.write_text(file.read_text().replace("[force]", force) + "\n")
    place = "force.weight" if force == "force" else "force.0.weight"
    heavy = _found(file, f"{place}=4.0", "run.record_every=1", "run.record=['loss', 'norms']")
    fast = _found(
        file, "system.learning_rate=2.0", "run.record_every=1", "run.record=['loss', 'norms']"
    )
    np.testing.assert_allclose(heavy.norms.values, fast.norms.values, rtol=1e-14)
    np.testing.assert_allclose(heavy.loss.values, 4 * fast.loss.values, rtol=1e-14)


def _words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_run_is_shown_by_its_first_and_its_last_record(capsys, file):
    settings = ["--set", "run.record_every=3", "--set", "run.record=['loss', 'norms']"]
    status, out, _ = _run(capsys, file, *settings, "--json")
    assert status == 0
    data = json.loads(out)["data"]
    status, out, _ = _run(capsys, file, *settings)
    head, steps, loss, *norms = out.splitlines()
    assert (status, head) == (0, "12 steps")
    assert steps.split() == ["step", "0", "step", "12"]
    losses = data["loss"]["values"]
    assert len(losses) == 5
    assert loss.split() == ["loss", f"{losses[0]:.6g}", f"{losses[-1]:.6g}"]
    for k, line in enumerate(norms):
        first, last = (data["norms"]["values"][place][k] for place in (0, -1))
        label = [f"norms[{k}],", "quantile", "0", "0.25", "0.5", "0.75", "1"]
        assert line.split() == [*label, *(f"{x:.6g}" for x in (*first, *last))]
    assert len(norms) == 2


@pytest.mark.parametrize(("runs", "left"), [(39, 0), (40, 0), (41, 1), (100, 60)])
def test_of_a_long_sweep_forty_runs_are_shown_and_the_rest_is_counted(runs, left):
    rates = np.arange(1.0, 1 + runs)
    found = xr.Dataset(
        {
            "loss": (("norm", "rate"), -rates.reshape(1, -1)),
            "steps": (("norm", "rate"), np.arange(runs).reshape(1, -1)),
            "converged": (("norm", "rate"), np.arange(runs).reshape(1, -1) % 2 == 0),
        },
        coords={"norm": [4.0], "rate": rates},
    )
    shown = min(runs, 40)
    head, *lines = _words(_output.table(found))
    assert head == ["norm", "rate", "steps", "converged", "loss"]
    expected = [
        ["4", f"{k + 1}", f"{k}", "no" if k % 2 else "yes", f"-{k + 1}"] for k in range(shown)
    ]
    assert lines[:shown] == expected
    said = [f"… {left} more runs; --json and --output have all".split()] if left else []
    assert lines[shown:] == said


def test_runs_that_are_not_shown_are_counted_over_all_axes(capsys, file):
    axes = ["sweep.gradscale=[0.0, 1.0, 2.0]", "sweep.learning_rate={low=1, high=8, count=4}"]
    seeds = ["sweep.seed=[0, 1, 2, 3]", "run.max_steps=1", "system.gradscale=0.0"]
    settings = [word for setting in (*axes, *seeds) for word in ("--set", setting)]
    status, out, err = _run(capsys, file, *settings)
    assert (status, err) == (0, "")
    lines = _words(out)
    assert len(lines) == 42
    # The fortieth of 3·4·4 runs is number 39 = (2, 1, 3).
    assert lines[40][:3] == ["2", "2", "3"]
    assert out.splitlines()[-1] == "… 8 more runs; --json and --output have all"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("learning_rate", 0.25),
        ("reduction", "sum"),
        ("weight_decay", 0.125),
        ("coupled_decay", True),
        ("decay_all", True),
        ("gradscale", 1.5),
        ("frozen", (1,)),
        ("fresh", (1,)),
        ("coherent", True),
        ("norm", 3.0),
        ("norm", (3.0, 4.0)),
    ],
)
def test_every_key_of_system_is_that_of_the_system(file, key, value):
    more: Any = {"weight_decay": 0.125} if key == "decay_all" else {}
    usual = System(forces.attraction(), 0.5, **more)
    settings = [f"system.{name}={json.dumps(x)}" for name, x in {**more, key: value}.items()]
    system = _system.system(simulate.config(file, settings), None)
    for name in _system.SYSTEM:
        expected = value if name == key else getattr(usual, name)
        assert getattr(system, name) == expected, name


@pytest.mark.parametrize(
    ("table", "made"),
    [
        ("{name='momentum'}", optimizers.momentum()),
        ("{name='momentum', decay=0.5, nesterov=true}", optimizers.momentum(0.5, nesterov=True)),
        ("{name='adam', b1=0.5, b2=0.75, eps=1e-3}", optimizers.adam(0.5, 0.75, 1e-3)),
        ("{name='adamw', b1=0.5}", optimizers.adam(0.5)),
        ("{name='adam', b1=0.5, lazy=true}", optimizers.lazy(optimizers.adam(0.5))),
        ("{name='adam', b1=0.5, lazy=false}", optimizers.adam(0.5)),
        ("{name='lion', b2=0.5}", optimizers.lion(b2=0.5)),
        ("{name='rowwise_adagrad', start=0.5, eps=1e-3}", optimizers.rowwise_adagrad(0.5, 1e-3)),
        (
            "{name='muon', beta=0.5, eps=0, nesterov=false, polar=true}",
            optimizers.muon(0.5, 0.0, nesterov=False, polar=True),
        ),
    ],
)
def test_an_optimizer_has_the_numbers_of_its_table(file, table, made):
    system = _system.system(simulate.config(file, [f"optimizer={table}"]), None)
    assert isinstance(system.optimizer, optimizers.Rule)
    assert system.optimizer.numbers == made.numbers
    assert (system.optimizer.flags, system.optimizer.lazy) == (made.flags, made.lazy)
    assert system.optimizer.factory == made.factory


@pytest.mark.parametrize(
    ("table", "made"),
    [
        ("{size=3}", sampling.minibatch(3)),
        (
            "{size=3, replace=false, lazy=false}",
            sampling.minibatch(3, replace=False, lazy=False),
        ),
        (
            "{size=2, frequencies=[1.0, 2, 3, 4, 5, 6, 7, 8]}",
            sampling.minibatch(2, np.arange(1.0, 9.0)),
        ),
        ("{probability=0.25}", sampling.bernoulli(0.25)),
        ("{probability=[0.0, 0.5, 1.0]}", sampling.bernoulli([0.0, 0.5, 1.0])),
    ],
)
def test_sampling_is_that_of_its_table(file, table, made):
    found = _system.system(simulate.config(file, [f"sampling={table}"]), None).sampling
    assert jax.tree.structure(found) == jax.tree.structure(made)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(made), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("settings", "made"),
    [
        (["run.record=['rotation']"], observables.rotation(1)),
        (["run.record=['rotation']", "run.rotation_steps=5"], observables.rotation(5)),
        (
            ["run.record=['frequency_norm']", "sampling.probability=[0.5, 0.25, 0.5]"],
            observables.frequency_norm([0.5, 0.25, 0.5]),
        ),
        (
            ["run.record=['frequency_norm']", "sampling={size=2, frequencies=[2, 1, 2]}"],
            observables.frequency_norm([2, 1, 2]),
        ),
        (
            [
                "run.record=['frequency_norm']",
                "sampling={size=2, class_frequencies=[1.0, 4.0]}",
                "classes.sizes=[1, 2]",
            ],
            observables.frequency_norm([1.0, 2.0, 2.0]),
        ),
        (["run.record=['torque']"], observables.OBSERVABLES["torque"]),
    ],
)
def test_observables_have_what_other_tables_say(file, settings, made):
    config = simulate.config(file, settings)
    labels = _clouds.labels(config, 3) if "classes" in config else None
    (found,) = _system.records(config["run"], config, labels)
    assert (found.name, found.coords, found.units) == (made.name, made.coords, made.units)
    assert found.arrays.keys() == made.arrays.keys()
    for name, x in made.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], x)


def test_trained_options_are_those_of_their_tables(file):
    settings = [
        "force={name='siglip', temperature=0.1, bias=-10}",
        "trained.temperature={learning_rate=0.1, learned='log', least=0.01}",
        "trained.bias={learning_rate=1, most=0, optimizer={name='adam', b1=0.5}}",
        "run={max_steps=0, record=['temperature', 'bias']}",
    ]
    config = simulate.config(file, settings)
    found = _system.system(config, None).trained
    temperature: Any = found["temperature"]
    bias: Any = found["bias"]
    assert (temperature.learned, temperature.least, temperature.most) == ("log", 0.01, None)
    assert (temperature.learning_rate, temperature.optimizer) == (0.1, None)
    assert (bias.learned, bias.least, bias.most, bias.learning_rate) == ("value", None, 0.0, 1.0)
    assert bias.optimizer.numbers == optimizers.adam(0.5).numbers
    assert [x.name for x in _system.records(config["run"], config, None)] == ["temperature", "bias"]


def test_stop_rules_have_the_numbers_of_their_table(file):
    rules = "{mean_cosine=0.5, clouds=[0, 2], loss=-2.0, loss_tolerance=0.25, gradient=1e-3}"
    cosine, loss, gradient = _system.stops(simulate.config(file, [f"stop={rules}"]))
    assert (cosine.name, cosine.numbers, cosine.clouds) == (
        "mean_cosine",
        {"tolerance": 0.5},
        (0, 2),
    )
    assert (loss.name, loss.numbers) == ("loss", {"target": -2.0, "tolerance": 0.25})
    assert (gradient.name, gradient.numbers) == ("gradient", {"tolerance": 1e-3})


def test_checkpoints_are_kept_as_their_table_says(file):
    settings = ["checkpoint={folder='saved', every=2, keep=3}", "run.chunk_steps=1"]
    _found(file, *settings)
    names = sorted(path.name for path in Path("saved").glob("step-*.npz"))
    # Every second chunk of one step, and of those the last three.
    assert names == [f"step-{k:010}.npz" for k in (8, 10, 12)]


def test_a_sweep_is_saved_and_resumed_as_its_tables_say(file):
    settings = ["sweep.learning_rate=[0.5, 1.0]", "checkpoint={folder='saved', every=2, keep=3}"]
    settings.append("schedule={name='linear', steps=20}")
    whole = _found(file, *settings)
    assert 1 <= len(list(Path("saved").glob("step-*.npz"))) <= 3
    xr.testing.assert_equal(_found(file, *settings, resume=True), whole)
    with pytest.raises(_output.RunError, match="of an earlier run"):
        _found(file, *settings)
    with pytest.raises(_output.RunError, match="schedule"):
        _found(file, *settings, "schedule.steps=30", resume=True)


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xef\xbb\xbfseed = 3\n")
    assert _config.read(path) == {"seed": 3}


def test_a_pointer_of_git_lfs_is_no_configuration(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n")
    with pytest.raises(_config.ConfigError, match=r"run\.toml: a pointer of Git LFS, not the file"):
        _config.read(path)
