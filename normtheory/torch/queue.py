"""Queries against a queue of older keys: MoCo."""

from __future__ import annotations

from typing import Any

from normtheory.losses import LOSSES
from normtheory.torch._module import DirectionLoss

Tensor = Any  # torch.Tensor, which a checker without PyTorch doesn't know


class MoCoLoss(DirectionLoss):
    """MoCo: ``normtheory.losses.moco``, which picks the own key against a queue.

    What Lightly's ``NTXentLoss`` is with a memory bank; but the queue is yours, and is not changed.
    No gradient flows to keys and queue. Over several processes queries and keys are each rank's
    own, and every rank brings the queue that its rows are compared with.

    Args:
        temperature: τ > 0; a tensor may be trained.
        settings: ``gather_distributed``, ``block``, ``group``, ``average``: see
            :class:`DirectionLoss`.

    Reference:
        He et al. 2020, eq. 1 and algorithm 1.
    """

    def __init__(self, temperature: Any = 0.07, **settings: Any) -> None:
        """See the class."""
        super().__init__(LOSSES["moco"], temperature=temperature, **settings)

    def forward(self, queries: Tensor, keys: Tensor, queue: Tensor) -> Tensor:
        """The loss of n queries.

        Args:
            queries: shape (n, d).
            keys: their positives, shape (n, d).
            queue: the negatives, shape (m, d), row by row (Lightly's bank is its transpose).
        """
        return super().forward(queries, keys, queue)


__all__ = ["MoCoLoss"]
