"""What is wrong with a call is an error; what is wrong with the data is counted and said once."""

from __future__ import annotations

import pickle
import re
import warnings

import jax
import numpy as np
import pytest

from normtheory import Monitor

Z = np.random.default_rng(3).standard_normal((12, 4))


def broken(row: int, value: float) -> np.ndarray:
    z = Z.copy()
    z[row] = value
    return z


def test_a_row_that_is_not_finite_is_named_and_left_out_and_training_goes_on():
    monitor = Monitor()
    with pytest.warns(
        RuntimeWarning, match=r"^z row 5 at step 3: not finite; such rows are left"
    ) as said:
        found = monitor.update(broken(5, np.nan), step=3)
    assert said[0].filename == __file__
    assert found == Monitor().update(np.delete(Z, 5, axis=0), step=3) | {"bad_rows": 1.0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monitor.update(broken(2, 0.0), step=4)
        last = monitor.update(np.full((12, 4), np.inf), step=5, probe=broken(0, np.nan))
    assert last["bad_rows"] == 13.0
    assert "norm_50" not in last
    assert monitor.bad == [
        "z row 5 at step 3: not finite",
        "z row 2 at step 4: zero",
        "z row 0 and 11 more rows at step 5: not finite",
        "probe row 0 at step 5: not finite",
    ]
    assert monitor.alarms[-1] == (
        "15 rows were of no use and left out, the first: z row 5 at step 3: not finite"
    )
    assert len(monitor.dataset["step"]) == 3


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_training_that_diverges_goes_on_to_be_measured(optimizer):
    monitor = Monitor(optimizer=optimizer, weight_decay=0.1, every=1)
    for step, size in enumerate((1e150, 1e200, 1e300)):
        z = size * Z
        given = {"probe": z, "second_view": z, "gradient": z, "learning_rate": 0.1}
        found = monitor.update(z, step=step, loss=np.inf, scale=np.nan, **given)
    assert found["norm_50"] == pytest.approx(1e300 * np.median(np.linalg.norm(Z, axis=1)))
    assert found["turn"] == pytest.approx(0.0, abs=1e-7)
    assert "implied_norm" not in found
    assert monitor.alarms is not None


def test_samples_of_a_probe_that_are_of_no_use_in_one_of_two_steps_are_left_out():
    whole, part = Monitor(), Monitor()
    after = Z + 0.1
    whole.update(Z, step=0, probe=Z[1:], learning_rate=0.1)
    part.update(Z, step=0, probe=Z, learning_rate=0.1)
    hurt = after.copy()
    hurt[0] = np.nan
    wanted = whole.update(Z, step=1, probe=after[1:])
    with pytest.warns(RuntimeWarning, match="probe row 0 at step 1"):
        found = part.update(Z, step=1, probe=hurt)
    assert found == wanted | {"bad_rows": 1.0}


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"step": 3}, ValueError, "step: expected one above 3, that of the last update, got 3"),
        ({"step": 1.5}, ValueError, "step: expected an integer >= 0, got 1.5"),
        (
            {"probe": Z[:7]},
            ValueError,
            r"probe: expected the same samples as before, shape \(12, 4\), got shape \(7, 4\)",
        ),
        ({"z": Z[0]}, ValueError, r"z: expected shape \(n, d\) with n >= 1 .* got shape \(4,\)"),
        ({"z": Z.astype(int)}, TypeError, "z: expected floats of 16, 32 or 64 bits, got int64"),
        ({"z": Z.tolist()}, TypeError, "z: expected a numpy, JAX or PyTorch array of shape"),
        ({"second_view": Z[:, :3]}, ValueError, r"second_view: expected the shape of z, \(12, 4\)"),
        ({"gradient": Z[:3]}, ValueError, r"gradient: expected the shape of z, \(12, 4\)"),
        ({"labels": [1, 2]}, ValueError, r"labels: expected one label for each of 12 .* \(2,\)"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate: expected a finite number >= 0"),
        ({"loss": "1"}, TypeError, "loss: expected a number, got str"),
    ],
)
def test_a_wrong_call_is_refused_and_leaves_no_trace(given, error, text):
    monitor, twin = (Monitor() for _ in range(2))
    for one in (monitor, twin):
        one.update(Z, step=3, probe=Z, learning_rate=0.1)
    with pytest.raises(error, match=text):
        monitor.update(**({"z": Z, "step": 4} | given))
    after = {"step": 4, "probe": Z + 0.1, "learning_rate": 0.1}
    assert monitor.update(Z, **after) == twin.update(Z, **after)


def test_a_first_probe_has_as_many_components():
    with pytest.raises(ValueError, match=r"^probe: expected as many components as z, shape \(7, 4"):
        Monitor().update(Z, step=0, probe=Z[:7, :3])


def test_inside_of_jit_there_are_no_values():
    monitor = Monitor()
    with pytest.raises(TypeError, match="z: expected values, not an array traced by JAX"):
        jax.jit(lambda z: monitor.update(z, step=0)["norm_50"])(np.float32(Z))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"optimizer": "sgdm"}, "optimizer: expected one of sgd, momentum, adam, adamw, lion, got"),
        ({"weight_decay": -1.0}, "weight_decay: expected a finite number and >= 0, got -1.0"),
        ({"momentum": 0.9}, "momentum: expected an optimizer with it"),
        ({"optimizer": "lion", "beta_1": 1.0}, "beta_1: expected a number >= 0 and < 1, got 1"),
        ({"optimizer": "sgd", "momentum": 0.9}, "momentum: sgd has none; expected the optimizer m"),
        ({"every": 0}, "every: expected an integer >= 1, got 0"),
        ({"pairs": 1}, "pairs: expected an integer >= 2, got 1"),
        ({"scale_rate": 0.0}, "scale_rate: expected a finite number and > 0, got 0.0"),
        ({"batch_size": 8}, "batch_size: expected a reduction with it"),
        ({"batch_size": 8, "reduction": "avg"}, "reduction: expected"),
    ],
)
def test_an_option_out_of_range_is_named(options, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        Monitor(**options)


def test_it_goes_on_after_a_checkpoint():
    one = Monitor(optimizer="sgd", weight_decay=0.1)
    one.update(Z, step=0, probe=Z, learning_rate=0.1)
    two = pickle.loads(pickle.dumps(one))
    given = {"step": 1, "probe": Z * 1.1, "learning_rate": 0.1}
    assert two.update(Z, **given) == one.update(Z, **given)
    assert two.dataset.identical(one.dataset)


def test_the_dataset_has_every_number_with_its_source(tmp_path):
    monitor = Monitor(optimizer="adamw", weight_decay=0.1)
    labels = ["a", "b"] * 6
    monitor.update(Z, step=0, learning_rate=0.1, labels=labels, second_view=Z[::-1], probe=Z)
    first = monitor.update(Z + 0.1, step=1, learning_rate=0.1, probe=Z + 0.1)
    data = monitor.dataset
    assert data["step"].values.tolist() == [0, 1]
    assert np.isnan(data["turn"].values[0])
    assert data["turn"].values[1] == first["turn"]
    assert float(data["norm"].sel(step=1, percentile=95)) == first["norm_95"]
    assert np.isnan(data["class_norm"].sel(step=1)).all()
    flat = {name for name in first if not re.fullmatch(r"norm_\d\d", name)}
    assert flat <= set(data.data_vars)
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
        assert variable.attrs["source"], name
    assert (data.attrs["optimizer"], data.attrs["weight_decay"]) == ("adamw", 0.1)
    data.to_netcdf(tmp_path / "monitor.nc")
