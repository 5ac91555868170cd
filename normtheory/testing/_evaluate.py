"""Value and gradient of somebody's loss, whatever library it is written in, as float64 numpy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import array_api_compat as compat
import numpy as np

__tracebackhide__ = True  # pytest shows the line of the test, not ours

LossFunction = Callable[[Any], Any]


class Slope(NamedTuple):
    """What a loss does at one cloud.

    Attributes:
        value: the loss.
        gradient: shape (n, d).
        error: how far each component of the gradient may be off for being a finite difference,
            shape (n, d); zero where the gradient is automatic.
    """

    value: float
    gradient: np.ndarray
    error: np.ndarray


class Evaluator(Protocol):
    """A loss together with the way to differentiate it."""

    backend: str
    dtype: str

    def value(self, z: np.ndarray) -> float:
        """The loss at z (n, d)."""
        ...

    def slope(self, z: np.ndarray) -> Slope:
        """Value and gradient at z (n, d)."""
        ...


def as_number(out: Any, wanted: str) -> float:
    """Return the scalar that a loss returned as a float, or say what is wrong with it.

    Args:
        out: what came back.
        wanted: dtype of the cloud that went in.
    """
    if isinstance(out, float):  # numpy's float64 is one
        return float(out)
    shape = tuple(getattr(out, "shape", ()))
    if isinstance(out, list | tuple | dict | str) or out is None:
        raise TypeError(f"loss: expected to get a scalar back, got {type(out).__name__}")
    if shape:
        raise ValueError(f"loss: expected to get a scalar back, got shape {shape}; take its mean")
    dtype = str(getattr(out, "dtype", type(out).__name__)).removeprefix("torch.")
    if not dtype.startswith(("float", "bfloat")):
        raise TypeError(f"loss: expected to get a floating-point scalar back, got {dtype}")
    if wanted == "float64" and dtype not in ("float", "float64"):
        raise ValueError(
            f"loss: returned {dtype} for a float64 cloud, so it computes in less; a JAX or PyTorch "
            'loss can be tested in dtype="float32"'
        )
    return float(out)


class Remembering:
    """An evaluator of a function of the cloud, which needn't differentiate at one cloud twice.

    The laws meet the same clouds one after the other, and so does the search for a simpler example.
    """

    _CLOUDS = 512
    _ENTRIES = 4096

    def __init__(self, evaluator: Evaluator) -> None:
        """Keep the evaluator."""
        self._evaluator = evaluator
        self._seen: dict[tuple[tuple[int, ...], bytes], Slope] = {}
        self.backend, self.dtype = evaluator.backend, evaluator.dtype

    def value(self, z: np.ndarray) -> float:
        """The loss at z (n, d)."""
        seen = self._seen.get((z.shape, z.tobytes()))
        return self._evaluator.value(z) if seen is None else seen.value

    def slope(self, z: np.ndarray) -> Slope:
        """Value and gradient at z (n, d)."""
        if z.size > self._ENTRIES:  # clouds this large would fill the memory
            return self._evaluator.slope(z)
        key = (z.shape, z.tobytes())
        if key not in self._seen:
            slope = self._evaluator.slope(z)
            if len(self._seen) == self._CLOUDS:
                del self._seen[next(iter(self._seen))]
            self._seen[key] = slope
        return self._seen[key]


class NumpyEvaluator:
    """A numpy loss, by central differences with Richardson's (1911) extrapolation."""

    backend = "numpy"
    dtype = "float64"

    def __init__(self, loss: LossFunction) -> None:
        """Keep the loss."""
        self._loss = loss

    def value(self, z: np.ndarray) -> float:
        """The loss at z (n, d)."""
        # An overflow at an extreme norm is a finding, not a warning.
        with np.errstate(all="ignore"):
            return self._value(z)

    def _value(self, z: np.ndarray) -> float:
        return as_number(self._loss(z.copy()), self.dtype)

    def slope(self, z: np.ndarray) -> Slope:
        """Value and gradient at z (n, d), with an estimate of the error of the gradient.

        The step is a fixed fraction of the norm of the row, so that the error of ‖z‖ times the
        gradient is the same at every norm. The error is judged by what halving the step changes, in
        the first difference and in the second, which a kink within the step upsets, and by
        rounding. For smooth losses that is pessimistic by far.
        """
        # A power of two: then adding it to a component rounds as little as can be.
        step = 2.0 ** (np.round(np.log2(np.linalg.norm(z, axis=-1, keepdims=True))) - 14)
        with np.errstate(all="ignore"):
            middle = self._value(z)
            down, up, far_down, far_up = self._neighbours(z, step, (-1.0, 1.0, -2.0, 2.0))
            fine, coarse = (up - down) / (2 * step), (far_up - far_down) / (4 * step)
            bend = (down + up - 2 * middle) / step
            far_bend = (far_down + far_up - 2 * middle) / (2 * step)
            size = np.abs([np.full_like(z, middle), down, up, far_down, far_up]).max(axis=0)
            gradient = fine + (fine - coarse) / 3
            error = (
                4 * abs(fine - coarse)
                + 4 * abs(2 * bend - far_bend)
                + 16 * np.finfo(float).eps * size / step
            )
        return Slope(middle, gradient, error)

    def _neighbours(
        self, z: np.ndarray, step: np.ndarray, multiples: tuple[float, ...]
    ) -> np.ndarray:
        """The loss with one component moved by multiples of its row's step (n, 1): (k, n, d)."""
        found = np.empty((len(multiples), *z.shape))
        moved = z.copy()
        for i, j in np.ndindex(*z.shape):
            for k, multiple in enumerate(multiples):
                moved[i, j] = z[i, j] + multiple * step[i, 0]
                found[k, i, j] = self._value(moved)
            moved[i, j] = z[i, j]
        return found


class JaxEvaluator:
    """A JAX loss, by ``jax.grad``; compiled where it can be."""

    backend = "jax"

    def __init__(self, loss: LossFunction, dtype: str) -> None:
        """Keep the loss."""
        import jax

        self.dtype = dtype
        self._jax = jax
        self._loss = loss
        self._slope: Callable[[Any], Any] | None = None
        self._compiled = False
        self._refused: dict[tuple[int, ...], Exception] = {}

    def _context(self) -> Any:
        if self.dtype == "float64":
            return self._jax.enable_x64(True)
        return contextlib.nullcontext()

    def value(self, z: np.ndarray) -> float:
        """The loss at z (n, d)."""
        if self._slope is not None:
            return self.slope(z).value
        with self._context():
            return as_number(self._loss(self._jax.numpy.asarray(z, self.dtype)), self.dtype)

    def slope(self, z: np.ndarray) -> Slope:
        """Value and gradient at z (n, d)."""
        with self._context():
            array = self._jax.numpy.asarray(z, self.dtype)
            if self._slope is None:
                self._slope = self._choose(array)
            value, gradient = self._call(self._slope, array)
            gradient = np.asarray(gradient, dtype=np.float64)
            return Slope(as_number(value, self.dtype), gradient, np.zeros_like(gradient))

    def _choose(self, array: Any) -> Callable[[Any], Any]:
        """Compile, unless the loss does what can't be compiled (looks at values, say)."""
        plain = self._jax.value_and_grad(self._loss)
        compiled = self._jax.jit(plain)
        try:
            compiled(array)
        except Exception:  # noqa: BLE001 (a stranger's loss may raise anything)
            return plain
        self._compiled = True
        return compiled

    def _call(self, slope: Callable[[Any], Any], array: Any) -> Any:
        """Call it, but not twice with a shape that it refused: tracing sees no more than that."""
        if array.shape in self._refused:
            raise self._refused[array.shape].with_traceback(None)
        try:
            return slope(array)
        except (self._jax.errors.JaxRuntimeError, FloatingPointError):
            raise  # while it ran
        except Exception as error:
            if self._compiled:
                self._refused[array.shape] = error
            raise


class TorchEvaluator:
    """A PyTorch loss, by autograd, on the CPU."""

    backend = "torch"

    def __init__(self, loss: LossFunction, dtype: str) -> None:
        """Keep the loss."""
        import torch  # pyright: ignore[reportMissingImports]

        self.dtype = dtype
        self._torch = torch
        self._loss = loss

    def _call(self, z: np.ndarray) -> tuple[Any, Any, float]:
        """The cloud as the loss depends on it, what the loss returned, and that as a number.

        The loss gets embeddings as an encoder hands them over, no leaf: it may work in place on
        them, and differentiate by them itself.
        """
        # torch.set_default_dtype is the user's; so the dtype is explicit.
        array = self._torch.tensor(
            z, dtype=getattr(self._torch, self.dtype), device="cpu", requires_grad=True
        )
        out = self._loss(array.clone())
        plain = out.detach() if compat.is_torch_array(out) else out
        return array, out, as_number(plain, self.dtype)

    @contextlib.contextmanager
    def _context(self) -> Iterator[None]:
        """Gradients, and one thread: on clouds this small several wait for each other."""
        threads = self._torch.get_num_threads()
        self._torch.set_num_threads(1)
        try:
            with self._torch.enable_grad():
                yield
        finally:
            self._torch.set_num_threads(threads)

    def value(self, z: np.ndarray) -> float:
        """The loss at z (n, d)."""
        with self._context():
            return self._call(z)[2]

    def slope(self, z: np.ndarray) -> Slope:
        """Value and gradient at z (n, d)."""
        with self._context():
            array, out, value = self._call(z)
            if not getattr(out, "requires_grad", False):
                raise ValueError("PyTorch finds no path from the embeddings to the result")
            (gradient,) = self._torch.autograd.grad(out, array, allow_unused=True)
        found = np.zeros_like(z) if gradient is None else gradient.double().numpy()
        return Slope(value, found, np.zeros_like(found))
