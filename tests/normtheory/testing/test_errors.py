"""Faults of a call, in one clear line each, and never an AssertionError."""

from __future__ import annotations

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt

from . import plain

CHECKS = (
    nt.testing.assert_inverse_norm_gradient,
    nt.testing.assert_orthogonal_gradient,
    nt.testing.assert_scale_invariant,
    nt.testing.assert_norm_never_shrinks,
    nt.testing.assert_loss_of_directions,
    nt.testing.valid_norm_range,
)
_COUNTER = itertools.count()


def _fussy(z: Any) -> float:
    raise ValueError(f"give me (7, 3), not {z.shape}\nand more")


BAD_LOSSES: list[tuple[Any, type[Exception], str]] = [
    (3, TypeError, r"^loss: expected a callable loss\(z\) -> scalar, got int$"),
    (lambda z: z, ValueError, r"^loss: expected to get a scalar back, got shape \(6, 4\); take"),
    (lambda z: z.sum(axis=1), ValueError, r"a scalar back, got shape \(6,\)"),
    (lambda z: [1.0], TypeError, "^loss: expected to get a scalar back, got list$"),
    (lambda z: None, TypeError, "a scalar back, got NoneType$"),
    (lambda z: 1, TypeError, "^loss: expected to get a floating-point scalar back, got int$"),
    (lambda z: complex(z.sum()), TypeError, "floating-point scalar back, got complex$"),
    (lambda z: jnp.argmax(jnp.asarray(z)), TypeError, "floating-point scalar back, got int"),
    (lambda z: float("nan"), ValueError, r"^loss: returned nan on an ordinary cloud of shape"),
    (lambda z: jnp.log(-jnp.sum(z * z)), ValueError, "^loss: returned nan on an ordinary cloud"),
    (lambda z: np.float32(z.sum()), ValueError, "^loss: returned float32 for a float64 cloud"),
    (lambda z: float(next(_COUNTER)), ValueError, "on the same cloud; it keeps a state"),
    (lambda z: 2.0, ValueError, "^loss: its gradient is zero on every ordinary cloud; is it cons"),
    (lambda z: float(np.round(1e4 * z.sum())), ValueError, "^loss: its finite differences do not"),
    (
        lambda z: jnp.sum(jnp.sqrt(jnp.abs(z) * 0)),
        ValueError,
        "^loss: its gradient is not finite on an ordinary cloud",
    ),
    (
        lambda z: jnp.sum(jnp.asarray(np.asarray(z))),
        ValueError,
        "^loss: jax cannot differentiate it: TracerArrayConversionError",
    ),
    (
        _fussy,
        ValueError,
        r"^loss: failed on a cloud of shape \(6, 4\) \(set n, dimension or dtype if it needs "
        r"others\): numpy: ValueError: give me \(7, 3\), not \(6, 4\); jax: ",
    ),
]


@pytest.mark.parametrize(("loss", "kind", "text"), BAD_LOSSES)
def test_a_loss_that_cannot_be_tested(loss: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text) as caught:
        nt.testing.assert_inverse_norm_gradient(loss)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 3), (5, 1), (3, slice(None))])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_one_entry_of_a_gradient_that_is_nan_is_enough(check: Any, row: int, column: Any) -> None:
    def loss(z: Any) -> Any:
        unit = z / jnp.linalg.norm(z, axis=1, keepdims=True)
        return jnp.sum(unit[:, 0]) + jnp.sum(jnp.sqrt(0 * z[row, column]))  # 0, of slope ∞ · 0

    with pytest.raises(
        ValueError, match=r"^loss: its gradient is not finite on an ordinary cloud \(6, 4\)$"
    ):
        check(loss)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_door_is_guarded(check: Any) -> None:
    with pytest.raises(TypeError, match="expected a callable"):
        check("info_nce")
    with pytest.raises(ValueError, match="returned nan"):
        check(lambda z: float("nan"))


BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"backend": "tensorflow"}, "^backend: expected None or one of numpy, jax, torch, got 'tensor"),
    ({"dtype": "float16"}, "^dtype: expected one of float32, float64, got 'float16'$"),
    ({"dtype": "float32"}, "^dtype: a numpy loss is differentiated by finite differences"),
    ({"dimension": 0}, "^dimension: expected an integer >= 2, got 0$"),
    ({"dimension": 1}, "^dimension: .*got 1; in one dimension a direction is a sign"),
    ({"dimension": 2.0}, r"^dimension: expected an integer >= 2, got 2\.0$"),
    ({"n": 0}, "^n: expected an integer >= 1, got 0$"),
    ({"norms": (1.0, 1.0)}, r"^norms: expected 0 < low < high < inf, got \(1\.0, 1\.0\)$"),
    ({"norms": (0.0, 1.0)}, "^norms: expected 0 < low"),
    ({"norms": (1e-200, 1.0)}, r"^norms: expected norms from 1e-150 to 1e\+150, whose squares"),
    ({"norms": 3.0}, r"^norms: expected \(low, high\), got 3\.0$"),
    ({"tolerance": 0.0}, r"^tolerance: expected a number between 0 and 1, got 0\.0$"),
    ({"max_examples": 0}, "^max_examples: expected an integer >= 1, got 0$"),
    ({"seed": -1}, "^seed: expected an integer >= 0, got -1$"),
]


@pytest.mark.parametrize(("options", "text"), BAD_OPTIONS)
def test_an_option_that_makes_no_sense(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        nt.testing.assert_inverse_norm_gradient(plain.attraction, **options)


@pytest.mark.parametrize("options", [{"tolerance": "tight"}, {"norms": ("tight", 1.0)}])
def test_an_option_that_is_no_number(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(TypeError, match=f"^{name}: expected a number, got str$"):
        nt.testing.assert_inverse_norm_gradient(plain.attraction, **options)


@pytest.mark.torch
def test_a_detached_torch_loss() -> None:
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="torch cannot differentiate it: ValueError: PyTorch find"):
        nt.testing.assert_inverse_norm_gradient(lambda z: z.detach().norm(), backend="torch")
