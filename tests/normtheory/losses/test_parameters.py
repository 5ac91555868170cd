"""Derivatives with respect to temperature, scale, bias, margin, power, sharpness."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normtheory.losses import clip, clip_temperature_gradient
from normtheory.verify._plain_losses import PLAIN
from tests.helpers import precision, tolerance
from tests.normtheory.losses import batches, cases
from tests.normtheory.losses.cases import CASES, draw

TRAINED = ("temperature", "scale", "bias", "margin", "power", "sharpness")
CONSTANT = ("codes", "centre", "target_temperature")


def _drawn() -> batches.Batch:
    drawn = {}
    for case in WITH_PARAMETERS:
        clouds, options = draw(case, 4, 7, 3)
        if case.name == "dino":
            options |= {"target_temperature": 0.04, "temperature": 0.2}
        drawn[case.label] = (clouds, options)
    return drawn


def _derivatives(function: Any, clouds: Any, options: dict[str, Any]) -> Any:
    names = [name for name in (*TRAINED, *CONSTANT) if name in options]
    others = {name: value for name, value in options.items() if name not in names}
    return jax.grad(lambda parameters: function(*clouds, **others, **parameters))(
        {name: jnp.asarray(options[name], clouds[0].dtype) for name in names}
    )


def _ours(case: cases.Case, clouds: Any, options: dict[str, Any]) -> Any:
    return _derivatives(case.loss.value, clouds, options)


def _plain(case: cases.Case, clouds: Any, options: dict[str, Any]) -> Any:
    return _derivatives(PLAIN[case.name], clouds, options)


@cache
def _both() -> tuple[Any, Any]:
    return batches.run(_ours, _drawn()), batches.run(_plain, _drawn(), fast=False)


WITH_PARAMETERS = [
    case
    for case in CASES
    if case.name not in ("attraction", "repulsion", "simsiam", "byol")
    and case.options.get("power") != 3.0
]


@pytest.mark.parametrize("case", WITH_PARAMETERS, ids=lambda case: case.label)
def test_every_parameter_has_the_derivative_of_the_plain_definition(case):
    found, exact = (by_label[case.label] for by_label in _both())
    assert found, "no parameter was differentiated"
    # By τ it is Σ W∘S/τ: the pull of a row, magnified once more. Only siglip's rows have n pulls.
    size = max(1.0, case.steepness) * case.pull * (7 if case.name == "siglip" else 1)
    for name, derivative in found.items():
        if name in CONSTANT:
            assert not derivative.any(), f"{name} is documented to be a constant"
            if name == "codes":
                assert not exact[name].any()  # a constant in the source too
        else:
            assert abs(derivative - exact[name]) <= size * tolerance("gradient"), name
            assert abs(exact[name]) > 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_closed_form_for_the_temperature_of_clip_is_what_autodiff_uses(dtype):
    rng = np.random.default_rng(0)
    z_1, z_2 = rng.standard_normal((2, 6, 5)).astype(dtype)
    with precision(dtype):
        found, grad = jax.jit(
            lambda t: (
                clip_temperature_gradient(z_1, z_2, temperature=t),
                jax.grad(lambda t: clip(z_1, z_2, temperature=t))(t),
            )
        )(jnp.asarray(0.3, dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, grad, rtol=tolerance("closed_form", dtype))
