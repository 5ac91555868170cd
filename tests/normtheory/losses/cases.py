"""Every loss with its options, on point clouds of every kind: what the other files run over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import normtheory as nt
from normtheory.losses import LOSSES, Loss
from tests.helpers import precision
from tests.normtheory.losses.plain import PLAIN

SPREADS = ("uniform", "von_mises_fisher", "near_parallel", "near_antipodal")
SHAPES = ((2, 2), (7, 3), (16, 16), (64, 128), (3, 1024))
"""(n, d); both ends of n in 2…64 and of d in 2…1024."""


@dataclass(frozen=True, eq=False)
class Case:
    """One loss with one set of options.

    Attributes:
        loss: the entry of ``LOSSES``.
        options: options beside those of the entry's example.
        inverse_temperature: 1/τ, or the scale; 1 for a loss without.
        label: shown by pytest.
    """

    loss: Loss
    options: dict[str, Any]
    inverse_temperature: float
    label: str

    @property
    def name(self) -> str:
        return self.loss.name


def _case(name: str, inverse_temperature: float = 1.0, **options: Any) -> Case:
    shown = ",".join(f"{key}={value}" for key, value in options.items())
    return Case(LOSSES[name], options, inverse_temperature, f"{name}({shown})")


CASES = (
    _case("attraction"),
    _case("repulsion"),
    _case("alignment"),
    _case("alignment", power=1.0),
    _case("alignment", power=3.0),
    _case("uniformity", 4.0),  # exp(-t‖·‖²) = exp(2t cos)·const: 2t plays the part of 1/τ
    _case("info_nce", 5.0),
    _case("info_nce", 5.0, symmetric=True),
    _case("clip", 5.0),
    _case("nt_xent", 5.0),
    _case("decoupled", 5.0),
    _case("decoupled", 5.0, symmetric=True),
    _case("supcon", 5.0),
    _case("siglip", 5.0),
    _case("simsiam"),
    _case("byol"),
    _case("moco", 5.0),
    _case("triplet"),
    _case("normface", 4.0),
    _case("cosface", 4.0),
    _case("arcface", 4.0),
    _case("swav", 5.0),
    _case("dino", 25.0),  # the teacher's temperature is 0.04
)
ONE_EACH = tuple({case.name: case for case in CASES if not case.options}.values())

cases = {"argvalues": CASES, "ids": [case.label for case in CASES]}
one_each = {"argvalues": ONE_EACH, "ids": [case.name for case in ONE_EACH]}


def _near(rng: np.random.Generator, z: np.ndarray, rows: int, sign: float) -> np.ndarray:
    """Directions 1e-9 … 0.1 off those of z, or off the opposite ones."""
    z = z[np.arange(rows) % len(z)]
    tangent = nt.tangent_projection(z, rng.standard_normal(z.shape))
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
    angle = 10 ** rng.uniform(-9, -1, (rows, 1))
    return sign * (np.cos(angle) * z + np.sin(angle) * tangent)


def draw(
    case: Case, rng: np.random.Generator, n: int, dimension: int, spread: str = "uniform"
) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
    """Clouds with norms 1e-3…1e3 and directions of one kind, and the options of the case."""
    clouds, options = case.loss.example(rng, n, dimension)
    first = nt.sphere.uniform(rng, len(clouds[0]), dimension)
    mean = nt.sphere.uniform(rng, 1, dimension)[0]
    found = []
    for index, cloud in enumerate(clouds):
        rows = len(cloud)
        if spread == "von_mises_fisher":
            directions = nt.sphere.von_mises_fisher(rng, rows, mean, 4.0 * dimension)
        elif spread == "uniform":
            directions = nt.sphere.uniform(rng, rows, dimension)
        else:
            sign = -1.0 if spread == "near_antipodal" and index else 1.0
            directions = _near(rng, first, rows, sign) if index else first
        found.append(directions * nt.sphere.log_uniform_norms(rng, rows)[:, None])
    return tuple(found), {**options, **case.options}


def split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options that JAX may trace, and Python booleans, which it may not."""
    fixed = {key: value for key, value in options.items() if isinstance(value, bool)}
    return {key: value for key, value in options.items() if key not in fixed}, fixed


def as_dtype(options: dict[str, Any], dtype: Any) -> dict[str, Any]:
    """Arrays of reals in the dtype of the clouds; labels and numbers as they are."""
    return {
        key: jnp.asarray(value, dtype if value.dtype.kind == "f" else None)
        if isinstance(value, np.ndarray)
        else value
        for key, value in options.items()
    }


def error(found: Any, exact: Any, z: np.ndarray) -> np.ndarray:
    """Scale-free error ρ‖g - g_exact‖ of every row."""
    off = np.asarray(found, np.float64) - np.asarray(exact, np.float64)
    return np.linalg.norm(off, axis=-1) * np.linalg.norm(np.asarray(z, np.float64), axis=-1)


# Compiled once a case and shape, for all files: compiling is nearly all that these tests cost.


@cache
def closed_form(case: Case) -> Callable[..., Any]:
    """``f(clouds, options)`` -> closed-form gradients of the trained clouds."""
    return _compiled(
        case, lambda clouds, moving, fixed: case.loss.gradient(*clouds, **moving, **fixed)
    )


@cache
def value_and_gradient(case: Case) -> Callable[..., Any]:
    """``f(clouds, options)`` -> the library's value, and its ``jax.grad`` for all clouds."""
    return _compiled(
        case,
        lambda clouds, moving, fixed: jax.value_and_grad(
            lambda z: case.loss.value(*z, **moving, **fixed)
        )(clouds),
    )


@cache
def plain_value_and_gradient(case: Case) -> Callable[..., Any]:
    """``f(clouds, options)`` -> value of the plain definition, and its ``jax.grad``."""
    return _compiled(
        case,
        lambda clouds, moving, fixed: jax.value_and_grad(
            lambda z: PLAIN[case.name](*z, **moving, **fixed)
        )(clouds),
    )


def _compiled(case: Case, function: Callable[..., Any]) -> Callable[..., Any]:
    _, fixed = split(case.options)
    compiled = jax.jit(lambda clouds, moving: function(clouds, moving, fixed))

    def call(clouds: tuple[np.ndarray, ...], options: dict[str, Any]) -> Any:
        moving, _ = split(options)
        with precision(clouds[0].dtype):
            found = compiled(clouds, as_dtype(moving, clouds[0].dtype))
            return jax.tree.map(np.asarray, found)

    return call
