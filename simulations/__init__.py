"""Experiments: one a file, frozen settings in, ``xarray.Dataset`` out. Run from a clone.

An experiment NAME is the module ``simulations.NAME`` with a frozen dataclass ``Settings`` (its
defaults are the full size), an instance ``SMOKE`` that runs in a second, ``run(settings)``, and
``SECONDS``, about how long the full run takes. Where that is more than a few, there is also an
instance ``QUICK`` for a first look, with fewer runs, steps or points, and ``QUICK_SECONDS``. One
that takes the time of its own calls says ``ALONE = True``: others wait for it. It is found by its
file: adding an experiment is adding one file.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any


def names() -> tuple[str, ...]:
    """The experiments there are."""
    found = (m.name for m in pkgutil.iter_modules(__path__) if not m.ispkg)  # encoders is none
    return tuple(sorted(n for n in found if not n.startswith("_")))


def get(name: str) -> ModuleType:
    """The module of an experiment; ValueError with the known names otherwise."""
    if name not in names():
        raise ValueError(f"no experiment {name!r}; there are: {', '.join(names())}")
    return importlib.import_module(f"simulations.{name}")


def quick(name: str) -> Any:
    """The settings of an experiment for a first look: the full ones where those are quick."""
    module = get(name)
    return getattr(module, "QUICK", module.Settings())


def seconds(name: str, settings: Any) -> float:
    """About how long a run takes on two cores, with the settings of one of its sizes."""
    module = get(name)
    if settings == module.SMOKE:
        return 0.0
    if settings == getattr(module, "QUICK", None):
        return float(module.QUICK_SECONDS)
    return float(module.SECONDS)
