"""PyTorch to the type checker, installed or not: anything.

Without it a checker that doesn't find PyTorch takes ``normtheory.torch`` for it.
"""

from typing import Any

def __getattr__(name: str) -> Any: ...
