"""What norms do while a training runs, measured, and beside it what theory says they should do.

The class is :class:`normtheory.Monitor`; ``normtheory.torch.watch`` hangs one on a module.
"""

from __future__ import annotations

from normtheory.monitoring._monitor import Monitor

__all__ = ["Monitor"]
