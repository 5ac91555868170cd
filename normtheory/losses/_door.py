"""The door of every loss: which library came in, and is what came usable?

The written rule. All clouds are arrays (n, d) of one library and one dtype: float64, float32, or
half precision, which is computed in float32. numpy arrays may stand beside arrays of JAX or
PyTorch, as constants of that library. Rows and options are checked wherever their values can be
seen, under ``jax.grad`` too.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from normtheory._arrays import (
    cast_hint,
    check_count,
    check_flag,
    check_number,
    check_rows,
    check_values,
    concrete,
    dtype_name,
    library_of,
    native,
    require_array,
    torch_ready,
)
from normtheory._read import labels_of, real_numbers
from normtheory.losses._definition import Definition
from normtheory.losses._parts import REQUIRED, Option

HALF = ("float16", "bfloat16")
"""Dtypes that are computed in float32."""


@dataclass(frozen=True)
class Given:
    """A call of a loss, checked.

    Attributes:
        library: the module that computes it.
        clouds: in the order of the loss.
        options: numbers and labels, by name.
        flags: true-or-false options, by name.
        block: most rows in a block, or None.
        extra: arguments of that library alone.
    """

    library: Any
    clouds: tuple[Any, ...]
    options: Mapping[str, Any]
    flags: Mapping[str, bool]
    block: int | None
    extra: Mapping[str, Any]

    def call(self, loss: Definition) -> tuple[Any, ...]:
        """The arguments that all libraries share."""
        return loss, self.clouds, self.options, self.flags, self.block


def read(loss: Definition, arguments: tuple[Any, ...], options: dict[str, Any]) -> Given:
    """Bind and check the arguments of a call.

    Where processes share a batch, one that refuses its part tells the others, so that they don't
    wait for it.

    Raises:
        TypeError, ValueError: an argument that is missing, unknown, of the wrong kind, shape or
            range; a zero or non-finite row, which is named.
    """
    try:
        return _read(loss, arguments, options)
    except (TypeError, ValueError):
        group = options.get("group")
        given = (*arguments, *options.values())
        tensors = [z for z in given if library_of(z) == "PyTorch"]
        if group is not None and tensors:
            importlib.import_module("normtheory.losses._torch").refuse(tensors[0], group)
        raise


def _read(loss: Definition, arguments: tuple[Any, ...], options: dict[str, Any]) -> Given:
    try:
        bound = loss.signature.bind(*arguments, **options)
    except TypeError as error:
        raise TypeError(f"{loss.name}: {error}") from None
    bound.apply_defaults()
    found = bound.arguments
    clouds = {cloud.name: native(found[cloud.name]) for cloud in loss.clouds}
    given = {option.name: found[option.name] for option in loss.options}
    library = _library(clouds, given)
    clouds = _check_clouds(library, clouds)
    # Of rows that several processes share, each has a few: see check_batch.
    alone = found["group"] is None
    sizes = _check_sizes(loss, clouds, alone)
    numbers: dict[str, Any] = {}
    flags: dict[str, bool] = {}
    for option in loss.options:
        if option.kind == "flag":
            flags[option.name] = check_flag(option.name, given[option.name])
        else:
            numbers[option.name] = checked(option, given[option.name], sizes)
    if alone:
        _check_further(loss, clouds, numbers)
    if library == "JAX":
        numbers = {name: narrow(x) for name, x in numbers.items()}
    arrays = tuple(clouds.values())
    return Given(
        importlib.import_module(f"normtheory.losses._{_MODULES[library]}"),
        arrays,
        numbers,
        flags,
        _block(loss, found.get("block"), arrays, library),
        _group(found["group"], library),
    )


def check_batch(loss: Definition, clouds: tuple[Any, ...], options: Mapping[str, Any]) -> None:
    """What a loss asks of a batch as a whole, where processes have joined their rows.

    Raises:
        ValueError: too few rows, or a further condition of the loss.
    """
    named = {cloud.name: z for cloud, z in zip(loss.clouds, clouds, strict=True)}
    _check_sizes(loss, named)
    _check_further(loss, named, options)


def _check_further(loss: Definition, clouds: Mapping[str, Any], numbers: Mapping[str, Any]) -> None:
    if loss.check is not None:
        seen = {name: concrete(x) for name, x in numbers.items() if hasattr(x, "dtype")}
        loss.check({**clouds, **{name: x for name, x in seen.items() if x is not None}})


_MODULES = {"numpy": "numpy", "JAX": "jax", "PyTorch": "torch"}


def _library(clouds: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """The library that computes: JAX or PyTorch if any array is of it, else numpy."""
    for name, z in clouds.items():
        require_array(name, z)
    kinds = {library_of(x): name for name, x in (*clouds.items(), *options.items())}
    several = [kind for kind in kinds if kind not in (None, "numpy")]
    if len(several) > 1:
        raise TypeError(
            "expected arrays of one library, got "
            + " and ".join(f"{kinds[kind]} of {kind}" for kind in several)
        )
    return several[0] if several else "numpy"


def _check_clouds(library: str, clouds: Mapping[str, Any]) -> dict[str, Any]:
    """Clouds of one library and dtype, with two axes and nonzero rows."""
    arrays = {name: _of_library(library, z, clouds) for name, z in clouds.items()}
    for name, z in arrays.items():
        if dtype_name(z) not in ("float32", "float64", *HALF):
            raise TypeError(
                f"{name}: expected floats of 16, 32 or 64 bits, got {dtype_name(z)}; {cast_hint(z)}"
            )
        if z.ndim != 2 or 0 in z.shape:
            raise ValueError(
                f"{name}: expected a cloud of shape (n, d), got shape {tuple(z.shape)}"
            )
        check_rows(name, z)
    (first, z), *others = arrays.items()
    for name, other in others:
        if other.dtype != z.dtype:
            raise TypeError(
                f"{first} is {dtype_name(z)} and {name} is {dtype_name(other)}: expected one dtype"
            )
        if other.shape[1] != z.shape[1]:
            raise ValueError(
                f"{first} has shape {tuple(z.shape)} and {name} has shape {tuple(other.shape)}: "
                "expected the same d"
            )
    return arrays


def _of_library(library: str, z: Any, clouds: Mapping[str, Any]) -> Any:
    if library_of(z) == library:
        return z
    if library == "JAX":
        import jax.numpy as jnp

        return jnp.asarray(z)
    import torch  # pyright: ignore[reportMissingImports]

    where = next((x.device for x in clouds.values() if library_of(x) == library), None)
    return torch.as_tensor(torch_ready(z), device=where)


def _check_sizes(loss: Definition, clouds: Mapping[str, Any], whole: bool = True) -> dict[str, int]:
    """Numbers of rows by word, the same for all its clouds; and enough of them in a whole batch."""
    sizes: dict[str, int] = {}
    for word in dict.fromkeys(cloud.rows for cloud in loss.clouds):
        paired = [cloud for cloud in loss.clouds if cloud.rows == word]
        rows = {len(clouds[cloud.name]) for cloud in paired}
        if len(rows) > 1:
            shown = ", ".join(f"{c.name} {tuple(clouds[c.name].shape)}" for c in paired)
            raise ValueError(f"expected clouds with the same number of rows, got {shown}")
        sizes[word] = rows.pop()
        least = max(cloud.least for cloud in paired)
        if whole and sizes[word] < least:
            what = "rows" if word == "n" else word
            where = "" if word == "n" else f"{paired[0].name}: "
            raise ValueError(f"{where}expected at least {least} {what}, got {sizes[word]}")
    return sizes


def checked(option: Option, x: Any, sizes: Mapping[str, int] | None = None) -> Any:
    """A number, or an array of them, of the kind and in the range that an option has.

    Args:
        option: of a loss.
        x: what came.
        sizes: numbers of rows by word, against which shapes are checked; None if they aren't known.

    Raises:
        TypeError: not numbers; labels that are no integers.
        ValueError: a shape that doesn't fit, a value out of range.
    """
    name, x = option.name, native(x)
    if x is REQUIRED:
        raise TypeError(f"expected the option {name}")
    if option.kind == "labels":
        return _labels(option, x, sizes)
    if isinstance(x, list | tuple):
        x = real_numbers(name, x)
    elif library_of(x) is None or isinstance(x, np.generic):
        x = check_number(name, x)
    elif not dtype_name(x).startswith(("float", "bfloat", "int", "uint")):
        raise TypeError(f"{name}: expected real numbers, got {dtype_name(x)}")
    _check_shape(option, tuple(np.shape(x)), sizes)
    values = x if hasattr(x, "dtype") else np.asarray(x)
    check_values(name, values, above=option.above, least=option.least, most=option.most)
    if hasattr(x, "dtype") and "int" in dtype_name(x):
        x = x.float() if library_of(x) == "PyTorch" else x.astype(float)
    if not option.shape and np.ndim(x):
        return x.reshape(())  # a parameter of shape (1,) counts as the number in it
    return x


def _check_shape(option: Option, shape: tuple[int, ...], sizes: Mapping[str, int] | None) -> None:
    if not option.per_row and (not shape or (not option.shape and int(np.prod(shape)) == 1)):
        return
    if sizes is None:
        if len(shape) != len(option.shape):
            raise ValueError(f"{option.name}: expected {_wanted(option)}, got shape {shape}")
        return
    wanted = tuple(sizes[word] for word in option.shape)
    if shape != wanted:
        start = "" if option.per_row else "a number"
        shown = f"{start} or shape {wanted}" if start and wanted else start or f"shape {wanted}"
        raise ValueError(f"{option.name}: expected {shown}, got {shape}")


def _wanted(option: Option) -> str:
    shown = f"an array ({', '.join(option.shape)})"
    if not option.shape:
        return "a number"
    return shown if option.per_row else f"a number or {shown}"


_LARGEST_INDEX = 2**31 - 1
"""JAX counts rows in 32 bits."""


def _labels(option: Option, x: Any, sizes: Mapping[str, int] | None) -> Any:
    name = option.name
    x = labels_of(name, x, integers=True)
    shape = tuple(x.shape)
    if sizes is not None and shape != (sizes["n"],):
        raise ValueError(f"{name}: expected shape {(sizes['n'],)}, got {shape}")
    if len(shape) != 1:
        raise ValueError(f"{name}: expected labels of shape (n,), got {shape}")
    if option.below is not None:
        most = _LARGEST_INDEX if sizes is None else sizes[option.below] - 1
        check_values(name, x, least=0, most=most)
    return x


_WHOLE = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))


def narrow(x: Any) -> Any:
    """Labels of more than 32 bits as numbers that JAX keeps: it would cut them, without a word.

    Only whether labels are equal counts where they may be large; classes with weights have been
    checked to be few.
    """
    whole = library_of(x) is not None and dtype_name(x) in _WHOLE
    values = concrete(x) if whole else None
    if values is None:
        return x
    small = values.size == 0 or (int(values.min()) >= -(2**31) and int(values.max()) < 2**31)
    numbers = values if small else np.unique(values, return_inverse=True)[1]
    return numbers.astype(np.int32)


def _block(loss: Definition, block: Any, clouds: tuple[Any, ...], library: str) -> int | None:
    if block is None:
        return None
    if isinstance(block, str) and block == "auto":
        return default_block(len(clouds[-1]), clouds[0], library)
    if isinstance(block, str):
        raise ValueError(f"block: expected None, 'auto' or an integer >= 1, got {block!r}")
    check_count("block", block, 1)
    return int(block)


_CPU_BYTES = 128 * 2**20
_CPU_ROWS = (64, 256)
_ACCELERATOR_BYTES = 2**30
_ACCELERATOR_ROWS = (256, 8192)


def default_block(columns: int, z: Any, library: str = "numpy") -> int:
    """Rows in a block: as many as fit a budget for their logits, within bounds.

    On a CPU 256 rows while their logits fit 128 MiB, and never less than 64: with fewer the
    products are too thin to run at speed, with more nothing is gained (measured with JAX and with
    PyTorch for n = 4096 to 32,768). On an accelerator 1 GiB and 256 to 8192 rows (a choice, not yet
    measured). The dimension does not enter: next to the logits a block of embeddings is small.

    Args:
        columns: logits in a row.
        z: an array of the embeddings, for its dtype and device.
        library: that it belongs to.

    Returns:
        Rows in a block.
    """
    on_cpu = True
    if library == "JAX":
        import jax

        on_cpu = jax.default_backend() == "cpu"
    elif library == "PyTorch":
        on_cpu = z.device.type == "cpu"
    size = 8 if dtype_name(z) == "float64" else 4
    budget = _CPU_BYTES if on_cpu else _ACCELERATOR_BYTES
    least, most = _CPU_ROWS if on_cpu else _ACCELERATOR_ROWS
    return int(np.clip(budget // (columns * size), least, most))


def _group(group: Any, library: str) -> dict[str, Any]:
    if group is None:
        return {}
    if library != "PyTorch":
        raise TypeError(
            f"group: is for PyTorch's processes, and the clouds are of {library}; JAX arrays are "
            "spread over devices by normtheory.particles.devices"
        )
    return {"group": group}


__all__ = ["Given", "check_batch", "checked", "default_block", "narrow", "read"]
