"""Derivatives with respect to temperature, scale, bias, margin, power, sharpness."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from normtheory.losses import clip, clip_temperature_gradient
from tests.helpers import precision, tolerance
from tests.normtheory.losses.cases import CASES, draw
from tests.normtheory.losses.plain import PLAIN

TRAINED = ("temperature", "scale", "bias", "margin", "power", "sharpness")
CONSTANT = ("codes", "centre", "target_temperature")


def _by_parameters(case, function, clouds, options):
    names = [name for name in (*TRAINED, *CONSTANT) if name in options]
    others = {name: value for name, value in options.items() if name not in names}

    def f(parameters):
        return function(*clouds, **others, **parameters)

    with precision(np.float64):
        found = jax.jit(jax.grad(f))({name: jax.numpy.asarray(options[name]) for name in names})
        return jax.tree.map(np.asarray, found)


WITH_PARAMETERS = [
    case
    for case in CASES
    if case.name not in ("attraction", "repulsion", "simsiam", "byol")
    and case.options.get("power") != 3.0
]


@pytest.mark.parametrize("case", WITH_PARAMETERS, ids=lambda case: case.label)
def test_every_parameter_has_the_derivative_of_the_plain_definition(case):
    clouds, options = draw(case, np.random.default_rng(4), 7, 3)
    if "target_temperature" not in options and case.name == "dino":
        options |= {"target_temperature": 0.04, "temperature": 0.2}
    found = _by_parameters(case, case.loss.value, clouds, options)
    exact = _by_parameters(case, PLAIN[case.name], clouds, options)
    assert found, "no parameter was differentiated"
    for name, derivative in found.items():
        if name in CONSTANT:
            assert not derivative.any(), f"{name} is documented to be a constant"
            if name == "codes":
                assert not exact[name].any()  # a constant in the source too
        else:
            # ∂/∂τ is 1/τ² times a mean of cosines
            size = max(1.0, case.inverse_temperature**2)
            assert abs(derivative - exact[name]) <= size * tolerance("gradient"), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_closed_form_for_the_temperature_of_clip_is_what_autodiff_uses(dtype):
    rng = np.random.default_rng(0)
    z_1, z_2 = rng.standard_normal((2, 6, 5)).astype(dtype)
    with precision(dtype):
        found = np.asarray(clip_temperature_gradient(z_1, z_2, temperature=0.3))
        grad = np.asarray(
            jax.grad(lambda t: clip(z_1, z_2, temperature=t))(jax.numpy.asarray(0.3, dtype))
        )
    assert found.dtype == dtype
    np.testing.assert_allclose(found, grad, rtol=tolerance("closed_form", dtype))
