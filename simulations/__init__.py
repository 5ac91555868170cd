"""Experiments: one a file, frozen settings in, ``xarray.Dataset`` out. Run from a clone.

An experiment NAME is the module ``simulations.NAME`` with a frozen dataclass ``Settings`` (its
defaults are the full size), an instance ``SMOKE`` that runs in a second, ``run(settings)``, and
``SECONDS``, about how long the full run takes. It is found by its file: adding an experiment is
adding one file.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def names() -> tuple[str, ...]:
    """The experiments there are."""
    found = (m.name for m in pkgutil.iter_modules(__path__) if not m.ispkg)  # encoders is none
    return tuple(sorted(n for n in found if not n.startswith("_")))


def get(name: str) -> ModuleType:
    """The module of an experiment; ValueError with the known names otherwise."""
    if name not in names():
        raise ValueError(f"no experiment {name!r}; there are: {', '.join(names())}")
    return importlib.import_module(f"simulations.{name}")
