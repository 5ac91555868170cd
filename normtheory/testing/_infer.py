"""Find out which array library somebody's loss is written in, and whether it can be tested."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import Any

import array_api_compat as compat
import numpy as np

from normtheory._text import shown
from normtheory.testing._evaluate import (
    Evaluator,
    JaxEvaluator,
    LossFunction,
    NumpyEvaluator,
    TorchEvaluator,
)
from normtheory.testing._repeat import change

__tracebackhide__ = True  # pytest shows the line of the test, not ours

BACKENDS = ("numpy", "jax", "torch")
DTYPES = ("float32", "float64")


def _one_line(error: BaseException) -> str:
    first = (str(error).strip() or "no message").splitlines()[0]
    return f"{type(error).__name__}: {first[:160]}"


def _place(error: BaseException, loss: LossFunction) -> str:
    """In which line of the loss it was raised, if that can be told."""
    file = getattr(getattr(loss, "__code__", None), "co_filename", None)
    lines = [x.lineno for x in traceback.extract_tb(error.__traceback__) if x.filename == file]
    return f" ({shown(Path(str(file)).name)}, line {lines[-1]})" if lines else ""


def _make(loss: LossFunction, backend: str, dtype: str) -> Evaluator:
    if backend == "numpy":
        if dtype != "float64":
            raise ValueError(
                "dtype: a numpy loss is differentiated by finite differences, which need float64; "
                f"got {dtype}"
            )
        return NumpyEvaluator(loss)
    if backend == "jax":
        return JaxEvaluator(loss, dtype)
    if importlib.util.find_spec("torch") is None:
        raise ModuleNotFoundError("backend 'torch' needs PyTorch: pip install normtheory[torch]")
    return TorchEvaluator(loss, dtype)


def _library_of(out: Any) -> str:
    if compat.is_jax_array(out):
        return "jax"
    return "torch" if compat.is_torch_array(out) else "numpy"


def _try_numpy(loss: LossFunction, z: np.ndarray) -> str:
    """Call the loss on a numpy array; the library of what comes back is the one it is made of."""
    context: Any = contextlib.nullcontext()
    if sys.modules.get("jax") is not None:  # only then can the loss be one of JAX
        context = sys.modules["jax"].enable_x64(True)
    with context, np.errstate(all="ignore"):
        return _library_of(loss(z.copy()))


def _needs_torch(errors: list[Exception]) -> bool:
    """Whether it is worth trying (and perhaps importing) PyTorch after numpy and JAX failed."""
    if sys.modules.get("torch") is not None:
        return True
    missing_method = any(isinstance(error, AttributeError | TypeError) for error in errors)
    return missing_method and importlib.util.find_spec("torch") is not None


def _infer(loss: LossFunction, z: np.ndarray, dtype: str) -> Evaluator:
    failed: dict[str, Exception] = {}
    try:
        return _make(loss, _try_numpy(loss, z), dtype)
    except ModuleNotFoundError:
        raise
    except Exception as error:
        # A stranger's loss may raise anything; but our own refusals stand.
        if str(error).startswith("dtype:"):
            raise
        failed["numpy"] = error
    # What is loaded already is likelier to be what the loss is made of, and costs nothing to try.
    for backend in sorted(("jax", "torch"), key=lambda name: sys.modules.get(name) is None):
        if backend == "torch" and not _needs_torch(list(failed.values())):
            continue
        try:
            evaluator = _make(loss, backend, dtype)
            evaluator.value(z)
            return evaluator
        except Exception as error:  # noqa: BLE001
            failed[backend] = error
    reasons = "; ".join(f"{name}: {_one_line(error)}" for name, error in failed.items())
    raise ValueError(
        f"loss: failed on a cloud of shape {z.shape} (set n, dimension or dtype if it needs "
        f"others): {reasons}{_place(failed['numpy'], loss)}"
    )


def evaluator_of(loss: LossFunction, z: np.ndarray, backend: str | None, dtype: str) -> Evaluator:
    """Find out how to evaluate a loss, and check on the cloud z that it can be.

    Raises:
        TypeError: not callable, or what it returns is no floating-point scalar.
        ValueError: an unknown backend or dtype, a loss that fails on z, is not finite there,
            changes from call to call, or can't be differentiated.
        ModuleNotFoundError: PyTorch is named and missing.
    """
    if not callable(loss):
        raise TypeError(f"loss: expected a callable loss(z) -> scalar, got {type(loss).__name__}")
    if backend not in (None, *BACKENDS):
        raise ValueError(f"backend: expected None or one of {', '.join(BACKENDS)}, got {backend!r}")
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    evaluator = _infer(loss, z, dtype) if backend is None else _make(loss, backend, dtype)
    try:
        first = evaluator.value(z)
        changed = change(evaluator, z, first) if np.isfinite(first) else ""
    except Exception as error:
        if str(error).startswith("loss:"):
            raise
        raise ValueError(
            f"loss: failed on a {evaluator.backend} cloud of shape {z.shape}: "
            f"{_one_line(error)}{_place(error, loss)}"
        ) from None
    if not np.isfinite(first):
        raise ValueError(f"loss: returned {first} on an ordinary cloud of shape {z.shape}")
    if changed:
        raise ValueError(f"loss: {changed}")
    try:
        gradient = evaluator.slope(z).gradient
    except Exception as error:  # noqa: BLE001
        raise ValueError(
            f"loss: {evaluator.backend} cannot differentiate it: {_one_line(error)}"
            f"{_place(error, loss)}"
        ) from None
    if not np.isfinite(gradient).all():
        raise ValueError(f"loss: its gradient is not finite on an ordinary cloud {z.shape}")
    return evaluator
