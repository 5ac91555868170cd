"""The door of every public function: which array library came in, and is the input usable?

The written rule. Accepted are floating-point arrays of numpy, JAX and PyTorch, in float32 or
float64, all of one library and one dtype where they are vectors. Python numbers count as scalars.
Refused with a TypeError are integer, complex and half-precision arrays, and lists: cast them first,
so that nobody computes in a precision they did not choose. So are arrays with more to them than
values, such as masked ones: what a subclass of numpy's hides or means would be lost. Only the
losses and ``grad_scale``, which are part of a training, take half precision; they compute in
float32. Values are inspected wherever they can be; inside ``jax.jit`` or ``torch.func.vmap`` they
cannot, and a row that would have been refused comes back as NaN, in that row alone.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from typing import Any

import array_api_compat as compat
import numpy as np

from normtheory._types import Array

_FLOATS = ("float32", "float64")
_PLAIN = (np.ndarray, np.memmap)


def has_more(x: Any) -> bool:
    """Whether an array has a mask, a unit or an algebra of its own, which would be lost here."""
    if isinstance(x, np.ndarray):
        return type(x) not in _PLAIN
    return is_tensor(x) and (type(x).__name__ == "MaskedTensor" or str(x.layout) != "torch.strided")


def library_of(x: Array) -> str | None:
    """The library of an array, or None for what is no array, or one with more to it than values."""
    if has_more(x):
        return None
    if compat.is_numpy_array(x):
        return "numpy"
    if compat.is_jax_array(x):
        return "JAX"
    if compat.is_torch_array(x):
        return "PyTorch"
    return None


def require_array(
    name: str,
    x: Array,
    wanted: str = "a numpy, JAX or PyTorch array",
    libraries: tuple[str, ...] = ("numpy", "JAX", "PyTorch"),
) -> None:
    """Raise TypeError unless ``x`` is an array of a library, and nothing but its values."""
    if library_of(x) in libraries:
        return
    hint = "; wrap it in numpy.asarray(..., dtype=float)" if isinstance(x, list | tuple) else ""
    if has_more(x):
        hint = ", with more to it than its values, which would be lost; pass a plain array"
    raise TypeError(f"{name}: expected {wanted}, got {type(x).__name__}{hint}")


def dtype_name(x: Array) -> str:
    """The name of the dtype of an array, the same in all libraries and byte orders."""
    if getattr(x.dtype, "kind", "") == "U":
        return "text"
    return getattr(x.dtype, "name", str(x.dtype)).removeprefix("torch.")


def native(x: Any) -> Any:
    """Return a numpy array in the byte order of this machine, the only one JAX and PyTorch know.

    What a file of another machine holds comes swapped; anything else is returned as it is.
    """
    if isinstance(x, np.ndarray) and not x.dtype.isnative:
        return x.astype(x.dtype.newbyteorder("="))
    return x


def torch_ready(x: Any) -> Any:
    """Return a numpy array as PyTorch takes it; anything else as it is.

    It knows one byte order and no reversed memory, and warns of what may not be written to.
    """
    if isinstance(x, np.ndarray) and (min(x.strides, default=0) < 0 or not x.flags.writeable):
        return native(x.copy())
    return native(x)


def cast_hint(x: Array) -> str:
    """What to do about an array of a dtype that isn't taken."""
    if dtype_name(x) == "void16":  # numpy's files have no other word for bfloat16
        return (
            'if it is bfloat16 that numpy has saved, take x.view(ml_dtypes.bfloat16).astype("f4")'
        )
    if dtype_name(x).startswith("void"):
        return "numpy's files don't say what such bytes are: cast to float32 before saving"
    return "cast it first"


def refuse_more(name: str, x: Any) -> None:
    """Raise TypeError for an array with more to it than its values, and for nothing else."""
    if has_more(x):
        require_array(name, x)


def require_float(name: str, x: Array, wanted: str = "a numpy, JAX or PyTorch array") -> None:
    """Raise TypeError unless ``x`` is an array of float32 or float64."""
    require_array(name, x, wanted)
    if dtype_name(x) not in _FLOATS:
        raise TypeError(f"{name}: expected float32 or float64, got {dtype_name(x)}; {cast_hint(x)}")


def constant(x: Array) -> Array:
    """Return ``x`` with its derivative cut; the powers of two below are not differentiated."""
    if compat.is_jax_array(x):
        from jax import lax

        return lax.stop_gradient(x)
    return x.detach() if compat.is_torch_array(x) else x


def concrete(x: Array) -> np.ndarray | None:
    """Return the values as numpy, or None where they can't be seen (traced or vmapped arrays)."""
    if compat.is_jax_array(x):
        from jax.core import Tracer

        return None if isinstance(x, Tracer) else np.asarray(x)
    if compat.is_torch_array(x):
        return _concrete_torch(x)
    return np.asarray(x)


def is_wrapped(x: Any) -> bool:
    """Whether a tensor stands for many, under ``torch.func.vmap`` and its kin."""
    import torch  # pyright: ignore[reportMissingImports]

    # The one test that there is; it has no public name.
    return torch._C._functorch.is_functorch_wrapped_tensor(x)  # pyright: ignore


def _concrete_torch(x: Any) -> np.ndarray | None:
    import torch  # pyright: ignore[reportMissingImports]

    if torch.compiler.is_compiling() or is_wrapped(x):
        return None
    x = x.detach().cpu()
    if x.dtype == torch.bfloat16:  # which numpy doesn't have
        x = x.float()
    return x.resolve_conj().resolve_neg().numpy()


def row_name(index: tuple[int, ...]) -> str:
    """How an error names a row by its leading indices; nothing if there are none."""
    if not index:
        return ""
    return f" row {index[0]}" if len(index) == 1 else f" row {tuple(int(i) for i in index)}"


def _first_row(bad: Any) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(bad)[0])


def check_rows(name: str, x: Array, *, allow_zero: bool = False) -> None:
    """Raise ValueError naming the first row that is not finite or, unless allowed, zero."""
    values = concrete(constant(x))  # under jax.grad the values are there, behind the tracer
    if values is None:
        return
    bad = ~np.isfinite(values).all(axis=-1)
    if bad.any():
        raise ValueError(f"{name}{row_name(_first_row(bad))} is not finite")
    zero = ~values.any(axis=-1)
    if not allow_zero and zero.any():
        raise ValueError(
            f"{name}{row_name(_first_row(zero))} is zero: a zero vector has no direction"
        )


def vectors(*, allow_zero: tuple[str, ...] = (), **named: Array) -> tuple[Any, list[Array]]:
    """Check arrays of vectors, shape (..., d), and broadcast them against each other.

    Args:
        allow_zero: names of the arguments whose rows may be zero.
        **named: the arguments, under the names the user knows them by.

    Returns:
        The array namespace, and the arrays with one common shape.

    Raises:
        TypeError: not an array, not float32 or float64, or several libraries or dtypes.
        ValueError: no axis of components, shapes that don't fit, a zero or non-finite row (which
            one is said).
    """
    named = {name: native(x) for name, x in named.items()}
    for name, x in named.items():
        require_float(name, x)
        if x.ndim == 0 or x.shape[-1] == 0:
            raise ValueError(
                f"{name}: expected vectors of shape (..., d) with d >= 1, "
                f"got shape {tuple(x.shape)}"
            )
    (first, x), *others = named.items()
    for name, other in others:
        if library_of(other) != library_of(x):
            raise TypeError(
                f"{first} is a {library_of(x)} array and {name} a {library_of(other)} array: "
                "expected one library"
            )
        if other.dtype != x.dtype:
            raise TypeError(
                f"{first} is {dtype_name(x)} and {name} is {dtype_name(other)}: expected one dtype"
            )
        if other.shape[-1] != x.shape[-1]:
            raise ValueError(
                f"{first} has shape {tuple(x.shape)} and {name} has shape {tuple(other.shape)}: "
                f"expected the same number of components on the last axis"
            )
    for name, x in named.items():
        check_rows(name, x, allow_zero=name in allow_zero)
    xp = compat.array_namespace(*named.values())
    try:
        return xp, list(xp.broadcast_arrays(*named.values()))
    except (ValueError, RuntimeError) as error:
        shapes = ", ".join(f"{name} {tuple(x.shape)}" for name, x in named.items())
        raise ValueError(f"the leading axes do not broadcast: {shapes}") from error


def scalars(**named: Array) -> tuple[Any, list[Array]]:
    """Read arguments that are numbers or arrays of numbers (angles, norms, rates).

    Python and numpy scalars take the library and dtype of the arrays that come with them; with
    none, float64 numpy.

    Returns:
        The array namespace, and the arguments as arrays that broadcast (not yet broadcast).

    Raises:
        TypeError: an argument that is neither a number nor a float32 or float64 array, or several
            libraries.
        ValueError: shapes that don't broadcast.
    """
    arrays = {}
    for name, x in named.items():
        if not _is_number(x):
            require_float(name, x, "a number, or a numpy, JAX or PyTorch array")
            arrays[name] = native(x)
    try:
        np.broadcast_shapes(*(tuple(x.shape) for x in arrays.values()))
    except ValueError as error:
        shapes = ", ".join(f"{name} {tuple(x.shape)}" for name, x in arrays.items())
        raise ValueError(f"the arrays do not broadcast: {shapes}") from error
    libraries = {library_of(x) for x in arrays.values()}
    if len(libraries) > 1:
        kinds = ", ".join(f"{name} {library_of(x)}" for name, x in arrays.items())
        raise TypeError(f"expected arrays of one library, got {kinds}")
    xp = compat.array_namespace(*arrays.values()) if arrays else compat.array_namespace(np.empty(0))
    dtype = xp.result_type(*arrays.values()) if arrays else xp.float64
    like = next(iter(arrays.values()), None)
    return xp, [
        arrays[name] if name in arrays else beside(xp, like, check_number(name, x), dtype)
        for name, x in named.items()
    ]


def beside(xp: Any, like: Array, values: Any, dtype: Any) -> Array:
    """Numbers as an array on the device of another, which need not be PyTorch's default one."""
    place = {"device": like.device} if is_tensor(like) else {}
    return xp.asarray(values, dtype=dtype, **place)


def check_values(
    name: str,
    x: Array,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    most: float = math.inf,
) -> None:
    """Raise ValueError unless every value is finite, > ``above``, >= ``least`` and <= ``most``."""
    values = concrete(constant(x))
    if values is None:
        return
    bad = ~(np.isfinite(values) & (values > above) & (values >= least) & (values <= most))
    if not bad.any():
        return
    index = _first_row(bad)
    rules = []
    if above > -math.inf:
        rules.append(f"> {above:g}")
    if least > -math.inf:
        rules.append(f">= {least:g}")
    if most < math.inf:
        rules.append(f"<= {most:.6g}")
    wanted = " and ".join(["a finite number", *rules])
    where = f" at index {index[0] if len(index) == 1 else index}" if index else ""
    raise ValueError(f"{name}: expected {wanted}, got {values[index]!s}{where}")


def check_share(name: str, x: Array) -> None:
    """Raise ValueError unless every value lies in [0, 1)."""
    check_values(name, x, least=0.0)
    values = concrete(constant(x))
    if values is not None and (values >= 1).any():
        raise ValueError(f"{name}: expected < 1, got {values.max():g}")


def numbers(function: str, **named: Array) -> list[np.ndarray]:
    """Read arguments as :func:`scalars` does, for a function that computes in float64 numpy.

    Args:
        function: its name, for the error.
        **named: the arguments.

    Returns:
        The arguments as float64 numpy arrays that broadcast.

    Raises:
        TypeError, ValueError: as :func:`scalars`; arrays whose values can't be seen, tensors that
            require grad.
    """
    for name, x in named.items():
        check_no_grad(name, x, f"{function} solves")
    values = [concrete(x) for x in scalars(**named)[1]]
    if any(x is None for x in values):
        raise TypeError(
            f"{function}: expected arrays with values, not ones traced by JAX or PyTorch"
        )
    return [np.asarray(x, dtype=np.float64) for x in values]


def check_no_grad(name: str, x: Any, who: str) -> None:
    """Raise TypeError for a tensor that requires grad, which numpy would lose."""
    if is_tensor(x) and x.requires_grad:
        raise TypeError(
            f"{name} requires grad, and {who} in numpy, without derivatives: pass {name}.detach()"
        )


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float | np.number) and not isinstance(x, bool | np.timedelta64)


def check_number(name: str, x: Any) -> float:
    """Return a Python or numpy number as a float, also infinite, or raise TypeError."""
    if not _is_number(x):
        raise TypeError(f"{name}: expected a number, got {type(x).__name__}")
    if isinstance(x, np.complexfloating):
        raise TypeError(f"{name}: expected a real number, got {x!r}")
    try:
        return float(x)
    except OverflowError:
        raise ValueError(
            f"{name}: expected a number within the range of floats, got an integer beyond it"
        ) from None


def check_option(name: str, value: Any) -> float:
    """Return a finite Python number, or raise TypeError: options of this kind are not arrays."""
    number = check_number(name, value)
    if not math.isfinite(number):  # and not numpy's, so that torch.compile can follow
        raise ValueError(f"{name}: expected a finite number, got {value!r}")
    return number


def check_fits(name: str, value: float, info: Any) -> None:
    """Raise ValueError unless a number > 0 is a normal one in a dtype, by its ``finfo``."""
    if not float(info.tiny) <= value <= float(info.max):
        raise ValueError(
            f"{name}: expected a number from {float(info.tiny):.2g} to {float(info.max):.2g}, "
            f"the range of {str(info.dtype).removeprefix('torch.')}, got {value:g}"
        )


LARGEST_SEED = 2**128 - 1
"""As many bits as numpy takes from the machine to seed a generator."""
LARGEST_COUNT = 2**63 - 1
"""What an integer of 64 bits holds: nothing that is counted is more."""


def check_count(
    name: str, value: Any, least: int, why: str = "", *, most: float = LARGEST_COUNT
) -> None:
    """Raise ValueError, with a reason if one is given, unless an integer is in its range."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)
    if not whole or value < least:
        raise ValueError(f"{name}: expected an integer >= {least}, got {_shown(value)}{why}")
    if value > most:
        raise ValueError(f"{name}: expected an integer <= {most}, got {_shown(value)}{why}")


def _shown(value: Any) -> str:
    """How an error shows what came: on one line, however large it is."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"one of {value.bit_length()} bits"
    return type(value).__name__ if np.ndim(value) else repr(value)


def power_of_two(xp: Any, x: Array) -> Array:
    """Return the largest power of two not above ``x`` > 0, exactly; 1 where ``x`` is 0.

    At the very top of the range it is half of that, so that its reciprocal is a normal number: JAX
    0.12 divides by a broadcast scale through the reciprocal, and flushes subnormal ones to zero.

    Dividing by it is exact, so a vector of any norm can be brought near 1 without a rounding.
    ``ldexp`` would need 2**1024 or an inexact ``exp2`` at the ends of the range.
    """
    if compat.is_jax_array(x):
        return _jax_power_of_two()(constant(x))
    x = xp.where(x == 0, xp.ones_like(x), constant(x))
    mantissa, _ = xp.frexp(x)
    largest = 1 / float(xp.finfo(x.dtype).smallest_normal)
    return xp.minimum(x / (2 * mantissa), xp.full_like(x, largest))


@functools.cache
def _jax_power_of_two() -> Callable[[Any], Any]:
    """:func:`power_of_two` read off the bits, of which a power has none but its exponent's.

    JAX's own ``frexp`` is fifty operations, and every loss has six powers of two: a third of the
    time that tracing one took. Traced and written once for all of a shape.
    """
    import jax
    import jax.numpy as jnp
    from jax import lax

    @jax.jit
    def power_of_two(x: Any) -> Any:
        info = jnp.finfo(x.dtype)
        bits = lax.bitcast_convert_type(x, jnp.int64 if info.bits == 64 else jnp.int32)
        exponents = (1 << (info.bits - 1)) - (1 << info.nmant)
        power = lax.bitcast_convert_type(bits & exponents, x.dtype)
        power = jnp.minimum(power, 1 / float(info.smallest_normal))
        power = jnp.where(x == 0, 1, power)
        return jnp.where(x < jnp.inf, power, jnp.nan)  # infinity and NaN have none

    return power_of_two


def check_flag(name: str, value: Any) -> bool:
    """Return a truth value, or raise TypeError: a word such as "False" would count as true."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected True or False, got {_shown(value)}")
    return bool(value)


def check_kind(name: str, value: Any, kind: Any, wanted: str) -> None:
    """Raise TypeError unless ``value`` is of a kind, which ``wanted`` says in words."""
    if not isinstance(value, kind):
        raise TypeError(f"{name}: expected {wanted}, got {type(value).__name__}")


def is_tensor(x: Any) -> bool:
    """Whether ``x`` is a PyTorch tensor, in words that torch.compile can follow."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def is_torch_module(x: Any) -> bool:
    """Whether ``x`` is an ``nn.Module``, without importing PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.nn.Module)
