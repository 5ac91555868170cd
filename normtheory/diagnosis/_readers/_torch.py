"""Files of PyTorch, read as weights only: no code in them is run."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from normtheory.diagnosis._readers._entries import NAMELESS, Ask, Contents, Entry, described, need

_ZIP, _PICKLE = b"PK", b"\x80"

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_KINDS = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
"""Kinds of tensors that there is a use for: embeddings, and labels."""


@contextlib.contextmanager
def pt(path: Path, ask: Ask) -> Iterator[Contents]:
    """A tensor, or the tensors in dicts and lists within each other, by their path."""
    torch = need("torch", "torch")
    _check(path)
    content = _load(torch, path)
    if torch.is_tensor(content):
        yield Contents({NAMELESS: _tensor(torch, content)})
    elif isinstance(content, Mapping | list | tuple):
        yield Contents(_leaves(torch, content))
    else:
        raise ValueError(f"expected a tensor or a dict of tensors, got {type(content).__name__}")


def _check(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(8)
    if not head.startswith(_ZIP):
        if not head.startswith(_PICKLE):
            raise ValueError("damaged, or no file of torch.save")
        return
    with zipfile.ZipFile(path) as archive:
        if any(name.endswith("/constants.pkl") for name in archive.namelist()):
            raise ValueError(
                "a TorchScript archive, which holds code: refused; save a tensor or a dict of "
                "tensors instead"
            )
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"damaged: {damaged} doesn't have the checksum it was written with")


def _load(torch: Any, path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError as error:
        if "mmap" not in str(error):
            raise
        # Files of PyTorch before 1.6 can't be mapped.
        return torch.load(path, map_location="cpu", weights_only=True)


def _leaves(torch: Any, content: Any, path: str = "") -> dict[str, Entry]:
    """What stands in a nest of dicts and lists, by the keys and places that lead there."""
    pairs = content.items() if isinstance(content, Mapping) else enumerate(content)
    found: dict[str, Entry] = {}
    for key, value in pairs:
        name = f"{path}{key}"
        if isinstance(value, Mapping | list | tuple):
            entries = _leaves(torch, value, f"{name}/") or {name: Entry("empty")}
        elif torch.is_tensor(value):
            entries = {name: _tensor(torch, value)}
        else:
            entries = {name: Entry(type(value).__name__)}
        for twice in found.keys() & entries:
            raise ValueError(f"two entries are called {twice!r}")
        found |= entries
    return found


def _tensor(torch: Any, tensor: Any) -> Entry:
    kind = str(tensor.dtype).removeprefix("torch.")
    dense = tensor.layout is torch.strided and not tensor.is_nested
    single = dense and tensor.ndim == 1 and kind in _FLOATS
    return Entry(
        described(kind, tensor.shape) if dense else kind,
        partial(_plain, torch, tensor),
        length=len(tensor) if single else None,
    )


def _plain(torch: Any, tensor: Any) -> Any:
    """The tensor without its graph, or ValueError where numpy couldn't take it."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_quantized:
        raise ValueError(f"expected a plain tensor, got a quantised one ({kind}): dequantize it")
    if tensor.is_nested or tensor.layout is not torch.strided:
        layout = "nested" if tensor.is_nested else str(tensor.layout).removeprefix("torch.")
        raise ValueError(f"expected a dense tensor, got a {layout} one: make it dense first")
    if tensor.is_meta:
        raise ValueError("expected a tensor with data, got one on the device meta")
    if kind not in _FLOATS + _KINDS:
        raise ValueError(f"expected floats of 16, 32 or 64 bits, got {kind}: cast it first")
    return tensor.detach()
