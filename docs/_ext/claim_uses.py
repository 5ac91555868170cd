"""Where a claim is used: rows of a prediction, files of code and pages that name it."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from page_parts import ROOT

import normtheory as nt

#: Folders of pages that are made, not written.
_GENERATED = {"_build", "theory"}


@functools.cache
def _texts(folder: str, suffix: str) -> tuple[tuple[Path, str], ...]:
    """The files of a folder with what they say."""
    found = sorted((ROOT / folder).rglob(f"*{suffix}"))
    return tuple((path, path.read_text("utf-8")) for path in found)


def code(name: str) -> list[Path]:
    """Files of the library (the claims apart), experiments, figures that name a claim."""
    named = re.compile(rf"normtheory\.claims\.{name}\b|\bclaims? (?:\w+, )*{name}\b")
    return [
        path
        for folder in ("normtheory", "simulations", "figures")
        for path, text in _texts(folder, ".py")
        if path.parent != ROOT / "normtheory" / "claims" and named.search(text)
    ]


def claims(name: str) -> list[str]:
    """Claims that build on another one or point to it."""
    named = re.compile(rf"normtheory\.claims\.{name}\b|\bclaim {name}\b")
    return [
        path.stem
        for path, text in _texts("normtheory/claims", ".py")
        if path.stem in nt.claims.list() and path.stem != name and named.search(text)
    ]


def tests(name: str) -> list[Path]:
    """Test files that ask for one claim by its name."""
    named = re.compile(rf"""claims\.get\("{name}"\)|normtheory\.claims\.{name}\b""")
    return [path for path, text in _texts("tests/normtheory", ".py") if named.search(text)]


def pages(name: str) -> list[str]:
    """Pages that refer to a claim, by their place under docs/."""
    named = re.compile(rf"\{{ref\}}`(?:[^`<]*<)?{name}>?`")
    found = ((path.relative_to(ROOT / "docs"), text) for path, text in _texts("docs", ".md"))
    return [
        path.with_suffix("").as_posix()
        for path, text in found
        if path.parts[0] not in _GENERATED and named.search(text)
    ]


@functools.cache
def _predictions() -> dict[str, tuple[str, ...]]:
    """Rows of ``predict`` by their claim, over runs that ask for all that it knows."""
    contrast = {
        "batch_size": 64,
        "reduction": "mean",
        "scale_rate": 0.01,
        "margin": 0.8,
        "wrong": 0.01,
    }
    found: dict[str, dict[str, None]] = {}
    for optimizer in ("sgd", "momentum", "adam", "adamw", "lion"):
        for decay in (0.0, 1e-3):
            for loss in ("clip", "siglip") if optimizer == "sgd" else (None,):
                rows = nt.predict(
                    1.0,
                    1e-3,
                    optimizer=optimizer,
                    weight_decay=decay,
                    temperature=0.5,
                    dimension=64,
                    lag=10,
                    loss=loss,
                    **(contrast if loss else {}),  # pyright: ignore[reportArgumentType]
                )
                for row in rows:
                    found.setdefault(row.claim, {})[row.name] = None
    return {claim: tuple(rows) for claim, rows in found.items()}


def predictions(name: str) -> tuple[str, ...]:
    """Names of the rows of ``predict`` that a claim states."""
    return _predictions().get(name, ())
