"""What a wrong call says, for every public function; and what happens where nothing can be seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normtheory import losses
from normtheory.losses import LOSSES
from tests.helpers import precision
from tests.normtheory.losses import batches
from tests.normtheory.losses.batches import batch, library
from tests.normtheory.losses.cases import ONE_EACH

CLOUDS = {
    "attraction": ("z_1", "z_2"),
    "repulsion": ("z_1", "z_2"),
    "alignment": ("z_1", "z_2"),
    "uniformity": ("z",),
    "info_nce": ("z_1", "z_2"),
    "clip": ("z_1", "z_2"),
    "nt_xent": ("z_1", "z_2"),
    "decoupled": ("z_1", "z_2"),
    "supcon": ("z",),
    "siglip": ("z_1", "z_2"),
    "simsiam": ("p_1", "p_2", "z_1", "z_2"),
    "byol": ("p_1", "p_2", "z_1", "z_2"),
    "moco": ("queries", "keys", "queue"),
    "triplet": ("anchor", "positive", "negative"),
    "normface": ("z", "weights"),
    "cosface": ("z", "weights"),
    "arcface": ("z", "weights"),
    "swav": ("z", "prototypes"),
    "dino": ("z", "target", "prototypes", "target_prototypes"),
}
"""Names of the clouds, which the messages use."""

NAMES_AND_POSITIONS = [(name, i) for name, clouds in CLOUDS.items() for i in range(len(clouds))]
FUNCTIONS = [name for loss in LOSSES for name in (loss, f"{loss}_gradient")] + [
    "clip_temperature_gradient"
]


def _arguments(function: str) -> tuple[str, list[np.ndarray], dict[str, Any]]:
    """The loss that a public function belongs to, and arguments that are right."""
    name = function.removesuffix("_temperature_gradient").removesuffix("_gradient")
    clouds, options = LOSSES[name].example(np.random.default_rng(0), 7, 3)
    return name, [z.astype(np.float32) for z in clouds], options


def _raises(function: str, clouds, options, error, text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        getattr(losses, function)(*clouds, **options)


def test_the_table_names_every_argument():
    assert set(CLOUDS) == set(LOSSES)
    for name, clouds in CLOUDS.items():
        assert len(LOSSES[name].example(np.random.default_rng(0), 7, 3)[0]) == len(clouds)
    public = {name for name in losses.__all__ if callable(getattr(losses, name))}
    others = {"Loss", "Disobedient", "norm_exponent", "gradient_norms"}
    assert set(FUNCTIONS) == public - others


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_zero_or_non_finite_row_is_named(function):
    name, clouds, options = _arguments(function)
    for position, argument in enumerate(CLOUDS[name]):
        for bad, text in (
            (0.0, f"{argument} row 3 is zero: a zero vector has no direction"),
            (np.nan, f"{argument} row 3 is not finite"),
            (np.inf, f"{argument} row 3 is not finite"),
        ):
            changed = [z.copy() for z in clouds]
            changed[position][min(3, len(changed[position]) - 1)] = bad
            row = min(3, len(changed[position]) - 1)
            text = text.replace("row 3", f"row {row}")
            _raises(function, changed, options, ValueError, text)


@pytest.mark.parametrize("name", LOSSES)
def test_a_zero_row_is_named_under_grad_too(name):
    _, clouds, options = _arguments(name)
    changed = tuple(jnp.asarray(z).at[1].set(0.0) if i == 0 else z for i, z in enumerate(clouds))
    with pytest.raises(ValueError, match=f"{CLOUDS[name][0]} row 1 is zero"):
        jax.grad(lambda z: LOSSES[name].value(*z, **options))(changed)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_no_cloud_is_refused(function):
    name, clouds, options = _arguments(function)
    first = CLOUDS[name][0]
    for bad, error, text in (
        (clouds[0].tolist(), TypeError, f"{first}: expected a JAX or numpy array, got list"),
        (clouds[0].astype(int), TypeError, f"{first}: expected float32 or float64, got int"),
        (clouds[0].astype(np.float16), TypeError, f"{first}: expected float32 or float64, got f"),
        (clouds[0][:, :, None], ValueError, f"{first}: expected a cloud of shape (n, d), got"),
        (clouds[0][:, :0], ValueError, f"{first}: expected a cloud of shape (n, d), got"),
    ):
        _raises(function, [bad, *clouds[1:]], options, error, text)
    if len(clouds) == 1:
        return
    second = CLOUDS[name][1]
    wider = [clouds[0], np.ones((len(clouds[1]), 4), np.float32), *clouds[2:]]
    text = f"{first} has shape {clouds[0].shape} and {second} has shape {wider[1].shape}"
    _raises(function, wider, options, ValueError, text)
    with precision(np.float64):
        mixed = [clouds[0], clouds[1].astype(np.float64), *clouds[2:]]
        text = f"{first} is float32 and {second} is float64: expected one dtype"
        _raises(function, mixed, options, TypeError, text)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_clouds_that_do_not_pair_are_refused(function):
    name, clouds, options = _arguments(function)
    if name in ("uniformity", "supcon", "normface", "cosface", "arcface", "swav"):
        return  # nothing pairs there, or labels say how: see below
    shorter = [clouds[0], clouds[1][:-1], *clouds[2:]]
    first, second = CLOUDS[name][:2]
    text = f"expected clouds with the same number of rows, got {first} (7, 3), {second} (6, 3)"
    _raises(function, shorter, options, ValueError, text)


@pytest.mark.parametrize(
    "name", ["uniformity", "info_nce", "clip", "nt_xent", "decoupled", "supcon"]
)
def test_a_batch_of_one_has_no_negative(name):
    for function in (name, f"{name}_gradient"):
        _, clouds, options = _arguments(function)
        if "labels" in options:
            options["labels"] = options["labels"][:1]
        single = [z[:1] for z in clouds]
        _raises(function, single, options, ValueError, "expected at least 2 rows, got 1")


OPTIONS = [
    (name, option, bad, f"{option}: expected a finite number{rule}")
    for option, names, values, rule in (
        (
            "temperature",
            (
                "info_nce",
                "clip",
                "nt_xent",
                "decoupled",
                "supcon",
                "siglip",
                "moco",
                "swav",
                "dino",
            ),
            (0.0, -1.0, np.nan, np.inf),
            " and > 0",
        ),
        ("target_temperature", ("dino",), (0.0, -1.0), " and > 0"),
        ("scale", ("normface", "cosface", "arcface"), (0.0, -2.0), " and > 0"),
        ("margin", ("cosface", "arcface"), (-0.1, 4.0), " and >= 0 and <= "),
        ("margin", ("triplet",), (np.nan,), ""),
        ("bias", ("siglip",), (np.inf,), ""),
        ("power", ("alignment",), (0.0, -1.0), " and > 0"),
        ("sharpness", ("uniformity",), (0.0,), " and > 0"),
        ("centre", ("dino",), (np.nan,), ""),
    )
    for name in names
    for bad in values
]


@pytest.mark.parametrize(("name", "option", "bad", "text"), OPTIONS)
def test_an_option_out_of_range_is_named(name, option, bad, text):
    for function in (name, f"{name}_gradient"):
        _, clouds, options = _arguments(function)
        _raises(function, clouds, {**options, option: bad}, ValueError, text)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_a_bad_temperature_of_the_temperature_gradient_is_named(bad):
    _, clouds, _ = _arguments("clip")
    text = "temperature: expected a finite number and > 0"
    _raises("clip_temperature_gradient", clouds, {"temperature": bad}, ValueError, text)


@pytest.mark.parametrize("name", ["supcon", "normface", "cosface", "arcface"])
def test_labels_that_do_not_fit_are_refused(name):
    for function in (name, f"{name}_gradient"):
        _, clouds, options = _arguments(function)
        for bad, error, text in (
            (np.zeros(7), TypeError, "labels: expected integers, got float"),
            (np.zeros(6, int), ValueError, "labels: expected shape (7,), got (6,)"),
            (np.zeros((7, 1), int), ValueError, "labels: expected shape (7,), got (7, 1)"),
        ):
            _raises(function, clouds, {**options, "labels": bad}, error, text)
        if name == "supcon":
            text = "labels: expected at least one class with two points"
            _raises(function, clouds, {**options, "labels": np.arange(7)}, ValueError, text)
            continue
        labels = np.array([0, 1, 2, 0, 3, 1, 2])
        text = "labels: expected a finite number and >= 0 and <= 2, got 3 at index 4"
        _raises(function, clouds, {**options, "labels": labels}, ValueError, text)
        labels[4] = -1
        text = "labels: expected a finite number and >= 0 and <= 2, got -1 at index 4"
        _raises(function, clouds, {**options, "labels": labels}, ValueError, text)
        single = [clouds[0], clouds[1][:1]]
        text = "weights: expected at least 2 classes, got 1"
        _raises(function, single, {**options, "labels": np.zeros(7, int)}, ValueError, text)


@pytest.mark.parametrize("kind", [list, np.uint8, np.int64])
def test_labels_may_be_a_list_or_integers_of_any_width(kind):
    for name in ("supcon", "normface"):
        _, clouds, options = _arguments(name)
        labels = options["labels"].tolist() if kind is list else options["labels"].astype(kind)
        expected = LOSSES[name].value(*clouds, **options)
        assert LOSSES[name].value(*clouds, **{**options, "labels": labels}) == expected


@pytest.mark.parametrize("function", ["swav", "swav_gradient"])
def test_codes_that_are_no_distributions_are_refused(function):
    _, clouds, options = _arguments(function)
    codes = np.asarray(options["codes"], np.float32)
    below = codes.copy()
    below[2, 0] = -0.1
    for bad, text in (
        (codes[:-1], "codes: expected shape (7, 5), got (6, 5)"),
        (2 * codes, "codes: expected rows that sum to 1"),
        (below, "codes: expected a finite number and >= 0, got -0.1 at index (2, 0)"),
    ):
        _raises(function, clouds, {**options, "codes": bad}, ValueError, text)


@pytest.mark.parametrize("function", ["dino", "dino_gradient"])
def test_a_centre_of_the_wrong_shape_is_refused(function):
    _, clouds, options = _arguments(function)
    text = "centre: expected a number or shape (5,), got (4,)"
    _raises(function, clouds, {**options, "centre": np.zeros(4, np.float32)}, ValueError, text)


# Under jit: which rows of (cloud, ...) turn NaN when row 1 of one cloud is zero.
PARTNERS = ("attraction", "repulsion", "alignment", "triplet")


def _changed(change: Callable[[np.ndarray], np.ndarray], position: int) -> batches.Batch:
    """A batch in which one cloud of every loss is changed."""
    changed = {}
    for label, (clouds, options) in batch(0).items():
        moved = tuple(change(z.copy()) if i == position else z for i, z in enumerate(clouds))
        changed[label] = (moved, options)
    return changed


def _zeroed(z: np.ndarray) -> np.ndarray:
    z[1] = 0.0
    return z


def _turned(z: np.ndarray) -> np.ndarray:
    z[1] = z[1, ::-1] * [1.0, -1.0, 1.0]
    return z


@pytest.mark.parametrize("case", ONE_EACH, ids=lambda case: case.name)
def test_under_jit_a_zero_row_spoils_what_depends_on_it_and_nothing_else(case):
    clouds, _ = batch(0)[case.label]
    before = library(batch(0))[case.label].gradients
    for position in range(len(clouds)):
        spoilt = library(_changed(_zeroed, position))[case.label]
        moved = library(_changed(_turned, position))[case.label].gradients
        assert np.isnan(spoilt.value)
        for index, g in enumerate(spoilt.gradients):
            nan = np.asarray(np.isnan(g).any(axis=1))
            if case.loss.trained[index] == position:
                assert nan[1]
            # Rows that do not see the zero row keep their gradient, to the bit or nearly so.
            depends = np.abs(moved[index] - before[index]).max(axis=1) > 1e-12 * np.abs(
                before[index]
            ).max(axis=1)
            assert (nan >= depends).all(), "a row that depends on a zero row has a finite gradient"
            independent = ~depends & (np.arange(len(g)) != 1)
            assert not nan[independent].any(), "a zero row spoilt one that does not see it"
            np.testing.assert_allclose(g[~nan & ~depends], before[index][~nan & ~depends])


@pytest.mark.parametrize("name", PARTNERS)
def test_under_jit_a_nan_row_spoils_its_partners_only(name):
    def spoil(z: np.ndarray) -> np.ndarray:
        z[4] = np.nan
        return z

    label = next(case.label for case in ONE_EACH if case.name == name)
    for g in library(_changed(spoil, 0))[label].gradients:
        assert np.flatnonzero(np.isnan(g).any(axis=1)).tolist() == [4]


@pytest.mark.parametrize("bad", [3, -1])
def test_under_jit_a_label_outside_the_classes_gives_nan(bad):
    drawn = dict(batch(0))
    label = next(case.label for case in ONE_EACH if case.name == "normface")
    clouds, options = drawn[label]
    labels = options["labels"].copy()
    labels[2] = bad
    drawn[label] = (clouds, {**options, "labels": labels})
    assert np.isnan(library(drawn)[label].value)
