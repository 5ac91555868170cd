"""Labels make the positives: the supervised contrastive loss."""

from __future__ import annotations

from typing import Any

import torch

from normtheory._arrays import check_option, torch_ready
from normtheory.losses import LOSSES
from normtheory.torch._module import DirectionLoss

Tensor = Any  # torch.Tensor, which a checker without PyTorch doesn't know


class SupConLoss(DirectionLoss):
    """SupCon: ``normtheory.losses.supcon``, the sum over positives outside of the logarithm.

    Takes embeddings (n, d) with labels, as PyTorch Metric Learning does, or features (n, views, d),
    with labels or without, as the authors' code does. The mean is over the points that have a
    positive. PyTorch Metric Learning leaves out those whose loss is 0 as well, and gives 0 for a
    batch without positives, which is an error here. The authors' code multiplies by τ over a base
    temperature of 0.07: ``base_temperature=0.07`` does so, too.

    Args:
        temperature: τ > 0; a tensor may be trained.
        base_temperature: what the authors' code divides τ by, as a factor of the loss; None for no
            factor.
        settings: ``gather_distributed``, ``block``, ``group``, ``average``: see
            :class:`DirectionLoss`. Positives are found over all processes.

    Reference:
        Khosla et al. 2020, eq. 2; ``pytorch_metric_learning.losses.SupConLoss``.
    """

    def __init__(
        self, temperature: Any = 0.1, *, base_temperature: float | None = None, **settings: Any
    ) -> None:
        """See the class."""
        super().__init__(LOSSES["supcon"], temperature=temperature, **settings)
        if base_temperature is not None and check_option("base_temperature", base_temperature) <= 0:
            raise ValueError(f"base_temperature: expected a number > 0, got {base_temperature!r}")
        self.base_temperature = base_temperature

    def forward(self, embeddings: Tensor, labels: Tensor | None = None) -> Tensor:
        """The loss of n points.

        Args:
            embeddings: shape (n, d), or (n, views, d).
            labels: integers, shape (n,); None makes the views of a point a class of their own.

        Raises:
            ValueError: embeddings (n, d) without labels; no class with two points.
        """
        if embeddings.ndim == 3:
            n, views = embeddings.shape[:2]
            if labels is None:
                if self.gather_distributed:
                    raise ValueError(
                        "labels: expected labels where processes share a batch: numbers of the "
                        "points, different on every rank"
                    )
                labels = torch.arange(n, device=embeddings.device)
            embeddings = embeddings.flatten(0, 1)
            labels = torch.as_tensor(
                torch_ready(labels), device=embeddings.device
            ).repeat_interleave(views)
        if labels is None:
            raise ValueError("labels: expected labels for embeddings (n, d)")
        value = super().forward(embeddings, labels=labels)
        if self.base_temperature is None:
            return value
        return value * (self._given("temperature") / self.base_temperature)


__all__ = ["SupConLoss"]
