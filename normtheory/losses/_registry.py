"""All losses by name: every file of ``definitions`` that isn't private holds one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from normtheory.losses import definitions
from normtheory.losses._loss import Loss


def _found() -> Mapping[str, Loss]:
    names = sorted(m.name for m in pkgutil.iter_modules(definitions.__path__) if m.name[0] != "_")
    losses = {}
    for name in names:
        loss = importlib.import_module(f"{definitions.__name__}.{name}").LOSS
        if loss.name != name:
            raise ImportError(f"losses/definitions/{name}.py holds a loss called {loss.name}")
        losses[name] = loss
    return MappingProxyType(losses)


LOSSES: Mapping[str, Loss] = _found()
"""Name -> loss."""
