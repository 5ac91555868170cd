"""What a wrong call says, for every way to call a loss."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normtheory import losses
from normtheory.losses import LOSSES, Loss

CLOUDS = {name: tuple(cloud.name for cloud in loss.clouds) for name, loss in LOSSES.items()}
"""Names of the clouds, which the messages use."""

Function = tuple[str, Callable[..., Any]]
"""The name of a loss, and something to call with its arguments."""


def _functions(loss: Loss) -> dict[str, Callable[..., Any]]:
    """All ways to call a loss, by a name that pytest shows."""
    trained = [option.name for option in loss.options if option.trained]
    return {
        loss.name: loss,
        f"{loss.name}.gradient": loss.gradient,
        f"{loss.name}.value_and_gradient": loss.value_and_gradient,
    } | {f"{loss.name} by {name}": partial(loss.option_gradient, name) for name in trained}


FUNCTIONS = {
    label: (loss.name, function)
    for loss in LOSSES.values()
    for label, function in _functions(loss).items()
}
functions = {"argvalues": FUNCTIONS.values(), "ids": list(FUNCTIONS)}
by_name = {name: [f for n, f in FUNCTIONS.values() if n == name] for name in LOSSES}


def _arguments(name: str) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Arguments of a loss that are right."""
    clouds, options = LOSSES[name].example(np.random.default_rng(0), 7, 3)
    return [z.astype(np.float32) for z in clouds], options


def _raises(function: Callable[..., Any], clouds, options, error, text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        function(*clouds, **options)


def test_the_losses_and_their_gradients_are_the_public_functions():
    public = {name for name in losses.__all__ if callable(getattr(losses, name))}
    classes = {name for name in public if isinstance(getattr(losses, name), type)}
    helpers = {"by_rows", "gradient_norms", "norm_exponent"}
    of_losses = {name for loss in LOSSES for name in (loss, f"{loss}_gradient")}
    assert public - classes - helpers == of_losses


@pytest.mark.parametrize(("name", "function"), **functions)
def test_a_zero_or_non_finite_row_is_named(name, function):
    clouds, options = _arguments(name)
    for position, argument in enumerate(CLOUDS[name]):
        row = min(3, len(clouds[position]) - 1)
        for bad, text in (
            (0.0, "is zero: a zero vector has no direction"),
            (np.nan, "is not finite"),
            (np.inf, "is not finite"),
        ):
            changed = [z.copy() for z in clouds]
            changed[position][row] = bad
            _raises(function, changed, options, ValueError, f"{argument} row {row} {text}")


@pytest.mark.parametrize("name", LOSSES)
def test_the_first_of_several_bad_rows_is_named_and_one_bad_entry_is_enough(name):
    clouds, options = _arguments(name)
    for position, argument in enumerate(CLOUDS[name]):
        last = len(clouds[position]) - 1
        for place, bad, text in (
            ([1, last], 0.0, "is zero"),
            ([1, last], np.nan, "is not finite"),
            ((1, 2), np.nan, "is not finite"),
            ((1, 0), -np.inf, "is not finite"),
        ):
            changed = [z.copy() for z in clouds]
            changed[position][place] = bad
            for given in (changed, [jnp.asarray(z) for z in changed]):
                _raises(LOSSES[name], given, options, ValueError, f"{argument} row 1 {text}")


@pytest.mark.parametrize("name", LOSSES)
def test_a_zero_row_is_named_under_grad_too(name):
    clouds, options = _arguments(name)
    changed = tuple(jnp.asarray(z).at[1].set(0.0) if i == 0 else z for i, z in enumerate(clouds))
    with pytest.raises(ValueError, match=f"{CLOUDS[name][0]} row 1 is zero"):
        jax.grad(lambda z: LOSSES[name](*z, **options))(changed)


@pytest.mark.parametrize(("name", "function"), **functions)
def test_what_is_no_cloud_is_refused(name, function):
    clouds, options = _arguments(name)
    first = CLOUDS[name][0]
    z = clouds[0]
    no_array = f"{first}: expected a numpy, JAX or PyTorch array, got list; wrap it in numpy.asarr"
    for bad, error, text in (
        (z.tolist(), TypeError, no_array),
        (
            z.astype(int),
            TypeError,
            f"{first}: expected floats of 16, 32 or 64 bits, got int64; cast",
        ),
        (z + 0j, TypeError, f"{first}: expected floats of 16, 32 or 64 bits, got complex64; cast"),
        (z[:, :, None], ValueError, f"{first}: expected a cloud of shape (n, d), got shape (7,"),
        (z[:, :0], ValueError, f"{first}: expected a cloud of shape (n, d), got shape (7, 0)"),
        (z[:0], ValueError, f"{first}: expected a cloud of shape (n, d), got shape (0, 3)"),
    ):
        _raises(function, [bad, *clouds[1:]], options, error, text)
    if len(clouds) == 1:
        return
    second = CLOUDS[name][1]
    wider = [z, np.ones((len(clouds[1]), 4), np.float32), *clouds[2:]]
    text = f"{first} has shape {z.shape} and {second} has shape {wider[1].shape}: expected the same"
    _raises(function, wider, options, ValueError, text)
    mixed = [z, clouds[1].astype(np.float64), *clouds[2:]]
    text = f"{first} is float32 and {second} is float64: expected one dtype"
    _raises(function, mixed, options, TypeError, text)


def _words(loss: Loss) -> list[list[int]]:
    """Positions of the clouds that have as many rows each."""
    words = dict.fromkeys(cloud.rows for cloud in loss.clouds)
    return [[i for i, cloud in enumerate(loss.clouds) if cloud.rows == word] for word in words]


@pytest.mark.parametrize(("name", "function"), **functions)
def test_clouds_that_do_not_pair_are_refused(name, function):
    clouds, options = _arguments(name)
    for together in _words(LOSSES[name]):
        for cut in together if len(together) > 1 else ():
            shorter = [z[:-1] if i == cut else z for i, z in enumerate(clouds)]
            shown = ", ".join(f"{CLOUDS[name][i]} {shorter[i].shape}" for i in together)
            text = f"expected clouds with the same number of rows, got {shown}"
            _raises(function, shorter, options, ValueError, text)


def test_views_and_what_they_are_compared_with_pair():
    """Which clouds go row by row, in words: all but queues, prototypes and their labels."""
    for loss in LOSSES.values():
        for cloud in loss.clouds:
            assert (cloud.rows == "n") == (cloud.role not in ("queue", "prototypes")), loss.name


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_of_one_is_refused_or_has_something_to_learn(name):
    loss = LOSSES[name]
    clouds, options = _arguments(name)
    single = [z[:1] if c.rows == "n" else z for z, c in zip(clouds, loss.clouds, strict=True)]
    options = {k: x[:1] if loss.option(k).per_row else x for k, x in options.items()}
    if loss.clouds[0].least == 1 and "margin" not in options:  # a triplet may be satisfied
        assert all(g.any() for g in loss.gradient(*single, **options))
    for function in by_name[name] if loss.clouds[0].least > 1 else ():
        _raises(function, single, options, ValueError, "expected at least 2 rows, got 1")


@pytest.mark.parametrize(
    "name", [name for name, loss in LOSSES.items() if any(o.below for o in loss.options)]
)
def test_a_single_class_is_refused(name):
    clouds, options = _arguments(name)
    labels = {k: np.zeros(7, int) for k in options if LOSSES[name].option(k).below}
    for function in by_name[name]:
        single = [clouds[0], clouds[1][:1]]
        text = f"{CLOUDS[name][1]}: expected at least 2 classes, got 1"
        _raises(function, single, {**options, **labels}, ValueError, text)


NUMBERS = [
    (loss, option) for loss in LOSSES.values() for option in loss.options if option.kind == "number"
]


@pytest.mark.parametrize(
    ("loss", "option"), NUMBERS, ids=[f"{loss.name}-{option.name}" for loss, option in NUMBERS]
)
def test_an_option_out_of_range_is_named(loss, option):
    clouds, options = _arguments(loss.name)
    right = options.get(option.name, option.default)
    rule, values = "", [np.nan, np.inf, -np.inf]
    if option.above > -np.inf:
        rule, values = f"{rule} and > {option.above:g}", [*values, option.above, option.above - 1]
    if option.least > -np.inf:
        rule, values = f"{rule} and >= {option.least:g}", [*values, option.least - 0.1]
    if option.most < np.inf:
        rule, values = f"{rule} and <= {option.most:.6g}", [*values, option.most + 1e-3]
    for bad in values:
        changed: Any = bad
        if np.ndim(right):
            changed = np.array(right, np.float32)
            changed[..., -1] = bad
        for function in by_name[loss.name]:
            text = f"{option.name}: expected a finite number{rule}, got {np.float32(bad)!s}"
            text = text if np.ndim(right) else text.partition(", got")[0]
            _raises(function, clouds, {**options, option.name: changed}, ValueError, text)


@pytest.mark.parametrize(
    ("loss", "option"), NUMBERS, ids=[f"{loss.name}-{option.name}" for loss, option in NUMBERS]
)
def test_what_is_no_number_is_refused(loss, option):
    clouds, options = _arguments(loss.name)
    function = loss.gradient
    wanted = len(option.shape)
    for bad, error, text in (
        ("hot", TypeError, "expected a number, got str"),
        (None, TypeError, "expected a number, got NoneType"),
        (True, TypeError, "expected a number, got bool"),
        (1j, TypeError, "expected a number, got complex"),
        (np.array([True]), TypeError, "expected real numbers, got bool"),
        (10**400, ValueError, "expected a number within the range of floats, got an integer"),
        (np.ones((2,) * (wanted + 1)), ValueError, "expected "),
    ):
        changed = {**options, option.name: bad}
        _raises(function, clouds, changed, error, f"{option.name}: {text}")


def test_the_ranges_are_those_of_the_sources():
    """What is divided by, or multiplies a cosine, is positive; margins are as published."""
    for loss, option in NUMBERS:
        if option.steepness is not None or option.name in ("power", "target_temperature"):
            assert option.above == 0, f"{loss.name}: {option.name}"
    margins = {loss.name: (o.least, o.most) for loss, o in NUMBERS if o.name == "margin"}
    assert margins.pop("arcface") == (0, pytest.approx(np.pi, abs=1e-6))  # of an angle
    assert margins.pop("cosface") == (0, 2)  # of a cosine
    clouds, options = _arguments("arcface")
    assert np.isfinite(LOSSES["arcface"](*clouds, **{**options, "margin": np.float32(np.pi)}))


LABELS = [name for name, loss in LOSSES.items() if any(o.kind == "labels" for o in loss.options)]


@pytest.mark.parametrize("name", LABELS)
def test_labels_that_do_not_fit_are_refused(name):
    clouds, options = _arguments(name)
    (option,) = (o for o in LOSSES[name].options if o.kind == "labels")
    wrong = [
        (np.zeros(7), TypeError, "expected integers, got float"),
        (np.zeros(6, int), ValueError, "expected shape (7,), got (6,)"),
        (np.zeros((7, 1), int), ValueError, "expected shape (7,), got (7, 1)"),
    ]
    if option.below is None:
        wrong += [(np.arange(7), ValueError, "expected at least one class with two points")]
    else:
        rule = "expected a finite number and >= 0 and <= 2, got"
        wrong += [
            (np.array([0, 1, 2, 0, bad, 1, 2]), ValueError, f"{rule} {bad} at index 4")
            for bad in (3, -1)
        ]
    for function in by_name[name]:
        for bad, error, text in wrong:
            changed = {**options, option.name: bad}
            _raises(function, clouds, changed, error, f"{option.name}: {text}")


@pytest.mark.parametrize("kind", [list, np.uint8, np.int64])
@pytest.mark.parametrize("name", LABELS)
def test_labels_may_be_a_list_or_integers_of_any_width(name, kind):
    clouds, options = _arguments(name)
    (key,) = (o.name for o in LOSSES[name].options if o.kind == "labels")
    labels = options[key].tolist() if kind is list else options[key].astype(kind)
    for given in (clouds, [jnp.asarray(z) for z in clouds]):
        expected = LOSSES[name](*given, **options)
        assert LOSSES[name](*given, **{**options, key: labels}) == expected


def test_labels_beyond_32_bits_stay_apart_in_jax():
    clouds, options = _arguments("supcon")
    far = options["labels"] * 2**32  # all equal, were they cut
    given = jnp.asarray(clouds[0])
    expected = LOSSES["supcon"](given, **options)
    assert LOSSES["supcon"](given, **{**options, "labels": far}) == expected
    assert LOSSES["supcon"](clouds[0], **{**options, "labels": far}) == pytest.approx(expected)


SHAPED = [(loss, o) for loss in LOSSES.values() for o in loss.options if o.shape]


@pytest.mark.parametrize(
    ("loss", "option"), SHAPED, ids=[f"{loss.name}-{option.name}" for loss, option in SHAPED]
)
def test_an_option_of_the_wrong_shape_is_refused(loss, option):
    clouds, options = _arguments(loss.name)
    right = np.asarray(options[option.name])
    start = "expected shape" if option.per_row else "expected a number or shape"
    for bad in (right[:-1], right[None]):
        for function in by_name[loss.name]:
            text = f"{option.name}: {start} {right.shape}, got {bad.shape}"
            _raises(function, clouds, {**options, option.name: bad}, ValueError, text)


@pytest.mark.parametrize("rows", [slice(None), *range(7)], ids=str)
@pytest.mark.parametrize("factor", [2.0, 0.0, 1.001])
def test_codes_that_are_no_distributions_are_refused(rows, factor):
    """One row is enough."""
    clouds, options = _arguments("swav")
    codes = options["codes"].copy()
    codes[rows] *= factor
    for function in by_name["swav"]:
        wrong = {**options, "codes": codes}
        _raises(function, clouds, wrong, ValueError, "codes: expected rows that sum to 1")


FLAGS = [(loss, o) for loss in LOSSES.values() for o in loss.options if o.kind == "flag"]


@pytest.mark.parametrize(("loss", "option"), FLAGS, ids=[loss.name for loss, _ in FLAGS])
def test_a_flag_is_true_or_false_and_nothing_else(loss, option):
    clouds, options = _arguments(loss.name)
    for bad in ("yes", 1, None):
        text = f"{option.name}: expected True or False, got {bad!r}"
        for function in by_name[loss.name]:
            _raises(function, clouds, {**options, option.name: bad}, TypeError, text)
    yes, no = (loss(*clouds, **{**options, option.name: flag}) for flag in (np.True_, np.False_))
    assert yes != no


@pytest.mark.parametrize(("name", "function"), **functions)
def test_arguments_that_are_missing_unknown_or_too_many_are_named(name, function):
    clouds, options = _arguments(name)
    last = CLOUDS[name][-1]
    named = dict(zip(CLOUDS[name], clouds, strict=True))
    del named[last]
    _raises(function, [], {**named, **options}, TypeError, f"{name}: missing a required argument")
    _raises(function, clouds, {**options, "colour": 1}, TypeError, f"{name}: got an unexpected")
    _raises(function, [*clouds, *clouds, *clouds], options, TypeError, f"{name}: ")
    text = "group: is for PyTorch's processes, and the clouds are of numpy"
    _raises(function, clouds, {**options, "group": object()}, TypeError, text)


@pytest.mark.parametrize("name", LOSSES)
def test_only_a_trained_option_has_a_derivative(name):
    loss = LOSSES[name]
    clouds, options = _arguments(name)
    known = ", ".join(option.name for option in loss.options) or "none"
    of_none = partial(loss.option_gradient, "colour")
    text = f"colour: {name} has no such option; it has {known}"
    _raises(of_none, clouds, options, ValueError, text)
    for option in loss.options:
        if not option.trained:
            text = f"{option.name}: {name} holds it constant, so it has no derivative"
            of_constant = partial(loss.option_gradient, option.name)
            _raises(of_constant, clouds, options, ValueError, text)
