"""Every closed form is the gradient of the plain definition, over point clouds of every kind."""

from __future__ import annotations

import numpy as np
import pytest

from normtheory.losses import LOSSES
from tests.helpers import tolerance
from tests.normtheory.losses.cases import (
    CASES,
    SHAPES,
    SPREADS,
    cases,
    closed_form,
    draw,
    error,
    one_each,
    plain_value_and_gradient,
    value_and_gradient,
)
from tests.normtheory.losses.plain import PLAIN

# Compiling a shape takes far longer than running it: the two in between are for a slow run.
PARAMETERS = [
    pytest.param(shape, marks=pytest.mark.slow) if shape in ((16, 16), (64, 128)) else shape
    for shape in SHAPES
]


def test_every_loss_has_a_plain_definition_and_a_case():
    assert set(PLAIN) == set(LOSSES) == {case.name for case in CASES}


@pytest.mark.parametrize("shape", PARAMETERS, ids=lambda shape: f"n={shape[0]},d={shape[1]}")
@pytest.mark.parametrize("case", **cases)
def test_the_closed_form_is_the_gradient_of_the_plain_definition(case, shape):
    for seed, spread in enumerate(SPREADS):
        clouds, options = draw(case, np.random.default_rng(seed), *shape, spread)  # pyright: ignore
        found = closed_form(case)(clouds, options)
        value, exact = plain_value_and_gradient(case)(clouds, options)
        # The gradient itself is of the size 1/τ, and a rounding of a cosine moves the logarithm of
        # a probability by 1/τ more: the definition has this factor.
        condition = case.inverse_temperature
        if case.name == "arcface":
            condition *= _kink(clouds, options)
        assert len(found) == len(case.loss.trained)
        for position, gradient in zip(case.loss.trained, found, strict=True):
            assert gradient.shape == clouds[position].shape
            worst = error(gradient, exact[position], clouds[position]).max()
            assert worst <= condition * tolerance("gradient"), (spread, position)
        for position in set(range(len(clouds))) - set(case.loss.trained):
            assert not exact[position].any()  # the source holds it constant
        if shape == (7, 3):
            ours, by_grad = value_and_gradient(case)(clouds, options)
            np.testing.assert_allclose(ours, value, rtol=64 * 2.2e-16, atol=tolerance("gradient"))
            for position, gradient in zip(case.loss.trained, found, strict=True):
                worst = error(by_grad[position], gradient, clouds[position]).max()
                assert worst <= case.inverse_temperature * tolerance("law")


def _kink(clouds: tuple[np.ndarray, ...], options: dict) -> float:
    """1/sin φ of the row nearest to ArcFace's kink.

    There the tangent direction of the own class weight, which the definition gives a weight of its
    own near the kink, is only known to eps/sin φ from the rounded inputs.
    """
    z, weights = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in clouds)
    own = weights[options["labels"]]
    chords = np.linalg.norm(z - own, axis=-1) * np.linalg.norm(z + own, axis=-1)
    return 2 / float(chords.min())


@pytest.mark.parametrize("case", **one_each)
def test_float32_agrees_with_float64_on_the_same_numbers(case):
    for seed, spread in enumerate(("uniform", "von_mises_fisher")):
        wide, options = draw(case, np.random.default_rng(seed), 7, 3, spread)
        narrow = tuple(cloud.astype(np.float32) for cloud in wide)
        same = tuple(cloud.astype(np.float64) for cloud in narrow)
        options = {
            key: np.float32(value) if np.asarray(value).dtype.kind == "f" else value
            for key, value in options.items()
        }
        found = closed_form(case)(narrow, options)
        options = {
            key: np.float64(value) if np.asarray(value).dtype.kind == "f" else value
            for key, value in options.items()
        }
        _, exact = plain_value_and_gradient(case)(same, options)
        condition = case.inverse_temperature
        if case.name == "arcface":
            condition *= _kink(same, options)
        for position, gradient in zip(case.loss.trained, found, strict=True):
            assert gradient.dtype == np.float32
            worst = error(gradient, exact[position], same[position]).max()
            assert worst <= condition * tolerance("gradient", np.float32), spread
