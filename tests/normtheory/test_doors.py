"""Doors that all public functions have: what would be lost or taken for something else."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest
import xarray as xr

import normtheory as nt
from normtheory import _read
from normtheory.losses import LOSSES
from tests.normtheory.calls import CALLS, LABELS, Z

OF_OBJECTS = {
    # Takes no values: functions, names, files, or what other functions gave.
    *("claims.check", "claims.get", "claims.list", "equilibrium.frequency_exponent"),
    # Whatever a student answers is judged.
    *("course.check", "course.get", "course.lessons"),
    *(f"testing.{name}" for name in nt.testing.__all__ if name.startswith(("assert", "valid"))),
    *("losses.by_rows", "verify.verify_claim"),
    *("particles.forces.attraction", "particles.forces.repulsion", "particles.optimizers.rule"),
    *("particles.observables.option", "particles.optimizers.lazy"),
    *("particles.step", "particles.view"),
    *(f"particles.devices.{name}" for name in nt.particles.devices.__all__),
    *(f"particles.checkpoint.{name}" for name in ("describe", "latest", "load", "prepare")),
    *("particles.checkpoint.run", "particles.checkpoint.save"),
}
WITHOUT_A_DOOR = {
    # The function is the user's, and knows what it takes.
    ("particles.forces.function", "weights"),
    ("particles.observables.observable", "weights"),
}


def _public() -> dict[Any, str]:
    """Every public function, and the first name that it has."""
    modules = {"": nt} | {name: getattr(nt, name) for name in nt._MODULES}
    modules |= {f"particles.{name}": getattr(nt.particles, name) for name in nt.particles.__all__}
    found: dict[Any, str] = {}
    for place, module in modules.items():
        for name in module.__all__ if inspect.ismodule(module) else ():
            thing = getattr(module, name)
            if inspect.isfunction(thing):  # the gradient of a loss is a method
                found.setdefault(thing, f"{place}.{name}".lstrip("."))
    return found


def test_every_public_function_has_its_call():
    losses = {f"losses.{name}" for name in LOSSES}
    methods = {"particles.System", "particles.System.with_numbers"}
    methods |= {"Monitor", "Monitor.update"}
    assert set(_public().values()) | losses | methods == set(CALLS) | OF_OBJECTS


def _with(kind: Any) -> Any:
    """The calls that have arguments of a kind, each with their names and values."""
    chosen = {
        key: {
            name: value
            for name, value in call.arguments.items()
            if kind(value) and (key, name) not in WITHOUT_A_DOOR
        }
        for key, call in CALLS.items()
    }
    cases = [(CALLS[key], arguments) for key, arguments in chosen.items() if arguments]
    names = [key for key, arguments in chosen.items() if arguments]
    return pytest.mark.parametrize(("call", "arguments"), cases, ids=names)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refused(call: Any, name: str, value: Any, error: Any, text: str) -> None:
    """Fail unless the call is refused in one short line that says ``text``."""
    with pytest.raises(error, match=text) as found:
        call(**{name: value})
    said = str(found.value)
    assert "\n" not in said
    assert len(said) < 200


class Metres(np.ndarray):
    """An array with a unit, as packages of units make them."""


@_with(_is_array)
def test_a_mask_is_never_ignored(call, arguments):
    for name, value in arguments.items():
        hidden = np.ma.array(value)
        hidden[0] = np.ma.masked
        _refused(call, name, hidden, TypeError, "got MaskedArray")
        _refused(call, name, value.view(Metres), TypeError, "got Metres")


def test_a_mask_is_never_ignored_in_a_users_function():
    hidden = np.ma.array(np.ones(6), mask=[True, *[False] * 5])
    for key, name in WITHOUT_A_DOOR:
        _refused(CALLS[key], name, hidden, TypeError, "weights: .* got MaskedArray")


@_with(lambda value: isinstance(value, float))
def test_a_mask_is_no_number(call, arguments):
    for name, value in arguments.items():
        hidden = np.ma.array([value, value], mask=[True, False])
        _refused(call, name, hidden, TypeError, "got MaskedArray")
        _refused(call, name, hidden[0], TypeError, "got MaskedConstant")


@_with(lambda value: isinstance(value, bool))
def test_a_word_is_no_truth_value(call, arguments):
    for name in arguments:
        _refused(call, name, "false", TypeError, f"^{name}: expected True or False, got 'false'$")
        _refused(call, name, 0, TypeError, f"^{name}: expected True or False, got 0$")


@_with(_is_number)
def test_only_a_real_number_is_one(call, arguments):
    none = (1j, np.complex128(1), "1", True, [1.0, "2"], np.array("1"), np.timedelta64(1, "s"))
    for name in arguments:
        for bad in none:
            _refused(call, name, bad, (TypeError, ValueError), f"^{name}: expected|^{name} ")


@_with(_is_number)
def test_an_integer_has_an_end(call, arguments):
    for name in arguments:
        _refused(call, name, 10**400, ValueError, f"^{name}: expected")


@_with(lambda value: _is_array(value) and value.dtype.kind == "f")
def test_only_real_numbers_are_some(call, arguments):
    for name, value in arguments.items():
        for bad in (value.astype(complex), value.astype(str)):
            _refused(call, name, bad, TypeError, ": expected .* got (complex|text)")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([True, 0.5], "got a truth value"),
        ([1.0, None], "got object"),
        ([[1.0], [2.0, 3.0]], "lists of equal lengths"),
        ([10**400], "within the range of floats"),
        ([np.ma.array([1.0], mask=[True])], "got MaskedArray"),
        ([[1.0, np.ma.masked]], "got MaskedConstant"),
    ],
)
def test_what_numpy_would_take_for_numbers(given, text):
    with pytest.raises((TypeError, ValueError), match=f"^x: expected .*{text}"):
        _read.real_numbers("x", given)


def test_columns_of_a_table_are_read_by_their_values():
    column = xr.DataArray(np.arange(3), dims="row")
    np.testing.assert_array_equal(_read.labels_of("x", column), [0, 1, 2])
    np.testing.assert_array_equal(_read.real_numbers("x", column), [0.0, 1.0, 2.0])
    with pytest.raises(TypeError, match=r"^z: expected a numpy, JAX or PyTorch array, got DataAr"):
        nt.angle(xr.DataArray(Z), Z)


LABELLED = {
    "diagnose": CALLS["diagnose"],
    "supcon": CALLS["losses.supcon"],
    "class_norm": CALLS["particles.observables.class_norm"],
    "force": CALLS["particles.forces.loss"],
}


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize(
    ("other", "text"),
    [
        ("1", "an integer at index 0 and text at index 5"),
        (b"1", "an integer at index 0 and bytes at index 5"),
        (True, "an integer at index 0 and a truth value at index 5"),
        (np.nan, "an integer at index 0 and a missing one (nan) at index 5"),
        (None, "an integer at index 0 and a missing one (None) at index 5"),
    ],
)
def test_labels_are_of_one_kind(name, other, text):
    labels = [*LABELS[:-1].tolist(), other]
    wanted = f"labels: expected labels of one kind, got {text}"
    for given in (labels, tuple(labels), np.array(labels, dtype=object)):
        _refused(LABELLED[name], "labels", given, TypeError, f"^{re.escape(wanted)}$")


@pytest.mark.torch
def test_torch_arrays_with_more_to_them():
    torch = pytest.importorskip("torch")
    x = torch.eye(3)
    with pytest.warns(UserWarning, match="prototype"):
        masked = torch.masked.masked_tensor(x, x > 0)
    for bad in (masked, x.to_sparse()):
        with pytest.raises(TypeError, match=r"^z: .* with more to it than its values"):
            nt.angle(bad, x)
        with pytest.raises(TypeError, match=r"^embeddings: .* with more to it than its values"):
            nt.diagnose(bad)


@pytest.mark.torch
def test_a_gradient_is_not_lost_in_numpy():
    torch = pytest.importorskip("torch")
    norms = torch.tensor([1.0, 2.0], requires_grad=True)
    for name in ("losses.gradient_norms", "losses.norm_exponent"):
        _refused(
            CALLS[name], "norms", norms, TypeError, r"^norms requires grad, .* norms.detach\(\)$"
        )
