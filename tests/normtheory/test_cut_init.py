"""Dividing the parameters of a pytree, all of them or those of the last layer."""

from __future__ import annotations

import re
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt

PAIRS = [(np.full((3, 2), 6.0), np.full(2, 6.0)), (np.full((2, 2), 6.0), np.full(2, 6.0))]


def test_all_parameters_are_divided_and_nothing_else() -> None:
    model = {"layers": PAIRS, "steps": np.arange(3), "name": "encoder", "rate": 6.0}
    cut = nt.cut_init(model, 3.0)
    for weight, bias in cut["layers"]:
        assert (weight == 2).all()
        assert (bias == 2).all()
    assert cut["steps"].tolist() == [0, 1, 2]
    assert (cut["name"], cut["rate"]) == ("encoder", 6.0)
    assert PAIRS[0][0][0, 0] == 6  # the model itself is left alone


def test_the_last_layer_is_the_last_weight_and_its_bias() -> None:
    (first, last) = nt.cut_init(PAIRS, 3.0, part="last")
    assert [a.flat[0] for a in (*first, *last)] == [6, 6, 2, 2]
    alone = nt.cut_init([PAIRS[0][0], PAIRS[1][0]], 3.0, part="last")
    assert [a.flat[0] for a in alone] == [6, 2]


def test_numbered_keys_of_a_dict_have_an_order() -> None:
    layers: dict[str, Any] = {
        f"Dense_{k}": {"kernel": np.ones((2, 2)), "bias": np.ones(2)} for k in range(11)
    }
    model: Any = {"params": layers | {"note": 1}}
    cut = nt.cut_init(model, 2.0, part="last")["params"]
    assert [cut[f"Dense_{k}"]["kernel"][0, 0] for k in range(11)] == [1] * 10 + [0.5]
    assert cut["Dense_10"]["bias"][0] == 0.5


def test_equinox_modules_are_cut_and_still_callable() -> None:
    model: Any = eqx.nn.MLP(3, 2, 8, 2, key=jax.random.key(0))
    x = jnp.ones(3)
    all_cut, last_cut = nt.cut_init(model, 3.0), nt.cut_init(model, 3.0, part="last")
    np.testing.assert_allclose(last_cut(x), model(x) / 3, rtol=1e-5)
    np.testing.assert_array_equal(last_cut.layers[0].weight, model.layers[0].weight)
    np.testing.assert_allclose(all_cut.layers[0].bias, model.layers[0].bias / 3, rtol=1e-6)
    biases = [layer.bias for layer in model.layers]
    bare = eqx.tree_at(
        lambda m: [layer.bias for layer in m.layers], model, [jnp.zeros_like(b) for b in biases]
    )
    np.testing.assert_allclose(nt.cut_init(bare, 3.0)(x), bare(x) / 27, rtol=1e-5)


def test_dtypes_and_libraries_are_kept() -> None:
    model = [jnp.ones((2, 2), jnp.float32), np.ones((2, 2), np.float64)]
    cut = nt.cut_init(model, 2.0)
    assert isinstance(cut[0], jax.Array)
    assert [a.dtype for a in cut] == [np.float32, np.float64]


@pytest.mark.parametrize(
    ("model", "factor", "options", "error", "message"),
    [
        (PAIRS, 0.0, {}, ValueError, "factor: expected a finite number > 0, got 0.0"),
        (PAIRS, "3", {}, TypeError, "factor: expected a number, got str"),
        (PAIRS, 3.0, {"part": "first"}, ValueError, "part: expected 'all' or 'last', got 'first'"),
        ([1, 2], 3.0, {}, TypeError, "model: expected a pytree with floating-point arrays"),
        ([np.ones(3)], 3.0, {"part": "last"}, ValueError, "model: expected a weight with two"),
        (
            {"encoder": [np.ones((2, 2))], "head": [np.ones((2, 2))], "stem": [np.ones((2, 2))]},
            3.0,
            {"part": "last"},
            ValueError,
            "model: can't tell which of 'encoder', 'head', 'stem' comes last",
        ),
        (
            [np.ones((2, 2)), np.ones(2), np.ones((2, 2)), np.ones(2)],
            3.0,
            {"part": "last"},
            ValueError,
            "model: can't tell which vectors belong to the last layer",
        ),
    ],
)
def test_errors(model, factor, options, error, message) -> None:
    with pytest.raises(error, match=re.escape(message)):
        nt.cut_init(model, factor, **options)
