"""The optimizers of the measured equilibria step as the claims write them."""

from __future__ import annotations

import numpy as np
import optax
import pytest

from normtheory.verify import _equilibria as equilibria
from normtheory.verify._verify import _plain_float64


def _steps(rule, gradients, z):
    """Points under an optax rule, which sees the gradients one after the other."""
    state, path = rule.init(z), []
    for g in gradients:
        updates, state = rule.update(g, state, z)
        z = np.asarray(optax.apply_updates(z, updates))
        path.append(z)
    return path


@pytest.mark.parametrize("kind", ["decoupled", "coupled", "lion", "adam", "adamw"])
def test_steps_are_those_of_the_claims(kind):
    rng = np.random.default_rng(0)
    z, gradients = rng.standard_normal(5), rng.standard_normal((6, 5))
    rate, decay, first, second = 0.3, 0.2, 0.7, 0.9
    setting = {
        "learning_rate": rate,
        "weight_decay": decay,
        "momentum": first,
        "coupled": float(kind == "coupled"),
        "beta_1": first,
        "beta_2": second,
        "epsilon": 0.01,
    }
    makers = {"lion": equilibria.lion, "adam": equilibria.adam, "adamw": equilibria.adamw}
    make = makers.get(kind, equilibria.momentum)
    with _plain_float64():
        path = _steps(make(setting), gradients, z)
    m, v, keep = np.zeros(5), np.zeros(5), 1 - rate * decay
    for k, (g, found) in enumerate(zip(gradients, path, strict=True), start=1):
        if kind == "coupled":
            m = first * m + g + decay * z
            z = z - rate * m
        elif kind == "decoupled":
            m = first * m + g
            z = keep * z - rate * m
        elif kind == "lion":
            z = keep * z - rate * np.sign(first * m + (1 - first) * g)
            m = second * m + (1 - second) * g
        else:
            g = g + decay * z if kind == "adam" else g
            m, v = first * m + (1 - first) * g, second * v + (1 - second) * g**2
            root = np.sqrt(v / (1 - second**k)) + 0.01
            z = (z if kind == "adam" else keep * z) - rate * m / (1 - first**k) / root
        np.testing.assert_allclose(found, z, rtol=1e-12)


def test_a_lazy_point_rests_where_it_is_not_seen():
    rows = [
        {"learning_rate": 0.1, "weight_decay": 0.0, "momentum": 0.9, "coupled": 0.0, "lazy": 1.0}
        | {"rest": rest, "frequency": 1e-9}
        for rest in (1.0, 0.5)
    ]
    with _plain_float64():
        _, means = equilibria.run(
            equilibria.momentum,
            rows,
            [2.0, 2.0],
            8,
            3,
            np.random.default_rng(0),
            lag=1,
            burn_in=0,
            blocks=3,
        )
    np.testing.assert_allclose(means["first"], [[4.0], [4.0]])
    np.testing.assert_allclose(means["last"], [[4.0], [0.25]])
