"""Files of safetensors."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from normtheory.diagnosis._readers._entries import Ask, Contents, Entry, described, need, refusing

_FLOATS = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}


@contextlib.contextmanager
def safetensors(path: Path, ask: Ask) -> Iterator[Contents]:
    """The tensors of a file, by name."""
    package = need("safetensors", "formats")
    importlib.import_module("ml_dtypes")  # numpy learns of bfloat16 by it
    with package.safe_open(path, framework="numpy") as file:
        yield Contents({name: _tensor(file, name) for name in file.keys()})  # noqa: SIM118


def _tensor(file: Any, name: str) -> Entry:
    about = file.get_slice(name)
    kind, shape = about.get_dtype(), about.get_shape()
    said = described(_FLOATS.get(kind, kind), shape)
    if kind.startswith(("F8_", "F6_", "F4")):
        return Entry(
            said, refusing(f"tensor {name!r} is of {kind}: cast it to float16 or wider first")
        )
    single = len(shape) == 1 and kind in _FLOATS
    return Entry(said, partial(file.get_tensor, name), length=shape[0] if single else None)
