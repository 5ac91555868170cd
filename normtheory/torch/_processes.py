"""Processes that hold one batch together: which they are, and gradients that are to be averaged."""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed

Tensor = Any  # torch.Tensor, which a checker without PyTorch doesn't know


def several(group: Any, gather: bool) -> Any:
    """The group of processes, or None for this one alone.

    Args:
        group: a process group; None for all processes.
        gather: whether to look for others at all, if no group is given.

    Raises:
        ValueError: others are asked for, and this PyTorch has no ``torch.distributed``.
    """
    if group is None and not gather:
        return None
    if not distributed.is_available():
        raise ValueError("gather_distributed: this PyTorch was built without torch.distributed")
    if group is None and not distributed.is_initialized():
        return None
    group = distributed.group.WORLD if group is None else group
    return group if distributed.get_world_size(group) > 1 else None


def shared(x: Any, group: Any = None) -> Any:
    """A number or parameter that all processes hold, with its gradient divided by their number.

    The derivative of a loss of the whole batch with respect to a temperature, a bias or class
    weights is the whole one on every rank, whereas that of embeddings is each rank's part. So a
    loss that is multiplied by the number of processes, for parts that ``DistributedDataParallel``
    averages, takes its temperature through this.

    Args:
        x: a tensor; anything else comes back as it is.
        group: the processes; None for all.

    Returns:
        A tensor with the values of ``x``.
    """
    if not isinstance(x, torch.Tensor) or not x.requires_grad:
        return x
    return _scaled(x, 1 / distributed.get_world_size(group))


def averaged(value: Tensor, group: Any) -> Tensor:
    """A loss with its gradient multiplied by the number of processes, which DDP divides by."""
    return _scaled(value, distributed.get_world_size(group))


def _scaled(x: Tensor, factor: float) -> Tensor:
    """``x`` to the bit, with its gradient multiplied."""
    return x.detach() + factor * (x - x.detach())
