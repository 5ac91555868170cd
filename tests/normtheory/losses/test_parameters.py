"""Derivatives with respect to temperature, scale, bias, margin, power, sharpness."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normtheory.verify._plain_losses import PLAIN
from tests.helpers import tolerance
from tests.normtheory.losses import batches, cases
from tests.normtheory.losses.cases import CASES, draw


def _numbers(case: cases.Case) -> list[str]:
    """Names of the options that are real numbers."""
    return [option.name for option in case.loss.options if option.kind == "number"]


WITH_NUMBERS = [case for case in CASES if _numbers(case)]


@cache
def _drawn() -> batches.Batch:
    drawn = {}
    for case in WITH_NUMBERS:
        clouds, options = draw(case, 4, 7, 3)
        defaults = {name: case.loss.option(name).default for name in _numbers(case)}
        drawn[case.label] = (clouds, defaults | options)
    return drawn


def _derivatives(case: cases.Case, function: Any, clouds: Any, options: dict[str, Any]) -> Any:
    names = _numbers(case)
    others = {name: value for name, value in options.items() if name not in names}
    return jax.grad(lambda numbers: function(*clouds, **others, **numbers))(
        {name: jnp.asarray(options[name], clouds[0].dtype) for name in names}
    )


def _ours(case: cases.Case, clouds: Any, options: dict[str, Any]) -> Any:
    closed = {
        option.name: case.loss.option_gradient(option.name, *clouds, **options)
        for option in case.loss.options
        if option.trained
    }
    return _derivatives(case, case.loss, clouds, options), closed


def _plain(case: cases.Case, clouds: Any, options: dict[str, Any]) -> Any:
    return _derivatives(case, PLAIN[case.name], clouds, options)


@cache
def _both() -> tuple[Any, Any]:
    return batches.run(_ours, _drawn()), batches.run(_plain, _drawn())


@pytest.mark.parametrize("case", WITH_NUMBERS, ids=lambda case: case.label)
def test_every_parameter_has_the_derivative_of_the_plain_definition(case):
    (found, closed), exact = (by_label[case.label] for by_label in _both())
    size = case.option_size(7)
    for name, derivative in found.items():
        if case.loss.option(name).trained:
            assert abs(derivative - exact[name]) <= size * tolerance("gradient"), name
            assert abs(closed[name] - derivative) <= size * tolerance("similarity"), name
            assert abs(exact[name]) > 1e-6
        else:
            assert name not in closed
            assert not np.any(derivative), f"{name} is documented to be a constant"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_the_steepness_is_what_multiplies_a_cosine(case):
    assert case.loss.steepness(draw(case, 0, 7, 3)[1]) == case.steepness
