"""Tolerances with their reasons, and how to call one function with every array library."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import Phase, settings
from scipy.stats import beta

DTYPES = (np.float32, np.float64)

TOLERANCE_EPS = {
    # Scale-free error of a gradient, ρ‖g - g_exact‖. The promise: every case, and 99 % of cases.
    "gradient": 64,
    "gradient_99": 4,
    # Relative to what may be tiny: sin φ, an angle, a projection. Beside it stands the absolute
    # floor() below, so this may be tight: sums of up to 1024 terms and two projections.
    "relative": 32,
    # Absolute, values of order 1: the roundings of a dot product and two norms.
    "similarity": 8,
    # A law that rounds both sides, in up to 12 dimensions after a rotation.
    "law": 64,
    # Derivatives of the formula as it stands, which projects twice: a term gives a few more.
    "autodiff": 64,
    "hessian": 256,
    # A handful of roundings on three numbers; 64 leaves a factor of ten.
    "one_step": 64,
    # A step in d <= 50 dimensions rounds in dot products, and an eps of pi is 4.
    "step_in_space": 256,
    # Closed forms of a few operations, with exponents up to about 10.
    "closed_form": 64,
}
"""Tolerances of the tests, in eps of the dtype, each with its reason."""

HOSTILE: dict[Any, Any] = {
    "text.usetex": True,
    "font.family": ["serif"],
    "font.size": 30,
    "axes.facecolor": "red",
    "figure.facecolor": "black",
    "savefig.facecolor": "black",
    "savefig.bbox": "tight",
    "axes.xmargin": 0.3,
    "axes.formatter.use_locale": True,
    "svg.fonttype": "none",
    "pdf.compression": 0,
}
"""Settings of matplotlib that a user may have; a picture of ours has none of them."""


def floor(dtype: Any) -> float:
    """Absolute error, a few roundings at eps**1.5, that stays when two vectors are nearly parallel.

    The multiple of z taken off y is split in halves, and the product with the smaller half is
    rounded: at the square root of eps times eps. That is 1e-23 in float64, where a plain formula
    has 1e-16.
    """
    return 2 * float(np.finfo(dtype).eps) ** 1.5


_PHASES = (Phase.explicit, Phase.generate)
if "MUTMUT" not in os.environ:  # a mutation test wants to know that it failed, not how shortly
    _PHASES = (*_PHASES, Phase.shrink)

PROPERTY = settings(max_examples=50, deadline=None, derandomize=True, database=None, phases=_PHASES)
"""Settings of the property tests: the same examples every time, no clock (compiling takes time)."""

LIBRARIES = ("numpy", "jax", "jax.jit", pytest.param("torch", marks=pytest.mark.torch))


def tolerance(name: str, dtype: Any = np.float64) -> float:
    """The tolerance of that name as a plain number, for results of that dtype."""
    return TOLERANCE_EPS[name] * float(np.finfo(dtype).eps)


@contextlib.contextmanager
def precision(dtype: Any) -> Iterator[None]:
    """JAX with 64-bit arrays where ``dtype`` asks for it; the user's own setting else."""
    with jax.enable_x64(True) if np.dtype(dtype) == np.float64 else contextlib.nullcontext():
        yield


def call(library: str, function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """Call ``function`` on numpy arrays turned into arrays of ``library``; the result as numpy.

    Checks on the way that the result is of the library and the dtype that went in.
    """
    if library == "numpy":
        out = function(*arrays)
        assert isinstance(out, np.ndarray | np.floating)
    elif library == "torch":
        torch = pytest.importorskip("torch")
        out = function(*(torch.tensor(a) for a in arrays))
        assert isinstance(out, torch.Tensor)
        out = out.numpy()
    else:
        with precision(arrays[0].dtype):
            compiled = jax.jit(function) if library == "jax.jit" else function
            out = compiled(*(jax.numpy.asarray(a) for a in arrays))
            assert isinstance(out, jax.Array)
            out = np.asarray(out)
    assert out.dtype == arrays[0].dtype
    return np.asarray(out)


def random_angles(n: int, dimension: int) -> np.ndarray:
    """Quantiles of the angle of random pairs: an ensemble without luck, shape (n,).

    (1 - cos φ)/2 has the Beta law of (dimension - 1)/2 twice.
    """
    half = (dimension - 1) / 2
    return 2 * np.arcsin(np.sqrt(beta.ppf((np.arange(n) + 0.5) / n, half, half)))


def underflow(library: str, dtype: Any) -> float:
    """How far a component may be off for being tiny, in its own unit.

    JAX on the CPU flushes results below the smallest normal float to zero; the others round them
    to a subnormal.
    """
    info = np.finfo(dtype)
    return float(info.tiny if library.startswith("jax") else info.smallest_subnormal)
