"""Classification by directions: NormFace, CosFace, ArcFace, each with its class weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from normtheory._arrays import check_count
from normtheory.losses import LOSSES, Loss
from normtheory.torch._module import DirectionLoss, _of_one_dtype

Tensor = Any  # torch.Tensor, which a checker without PyTorch doesn't know


class _Head(DirectionLoss):
    """Class weights (num_classes, embedding_size), and the loss of embeddings against them."""

    def __init__(self, loss: Loss, num_classes: int, embedding_size: int, **settings: Any) -> None:
        """See the class."""
        super().__init__(loss, **settings)
        check_count("num_classes", num_classes, 2)
        check_count("embedding_size", embedding_size, 1)
        self.num_classes, self.embedding_size = num_classes, embedding_size
        self.weight = nn.Parameter(torch.empty(num_classes, embedding_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights from a Gaussian: their directions are uniform."""
        nn.init.normal_(self.weight)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of n points.

        Args:
            embeddings: shape (n, embedding_size).
            labels: integers in 0 … num_classes - 1, shape (n,).
        """
        return super().forward(embeddings, self.weight, labels=labels)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Scaled cosines with the classes, without a margin, shape (n, num_classes): to predict."""
        pair = _of_one_dtype(embeddings, self.weight)
        z, classes = (x / x.norm(dim=-1, keepdim=True) for x in pair)
        return self._given("scale") * z @ classes.T


class NormFaceLoss(_Head):
    """NormFace: ``normtheory.losses.normface`` with its own class weights.

    PyTorch Metric Learning's ``NormalizedSoftmaxLoss`` is this at ``scale = 1/temperature`` for
    embeddings that it normalises.

    Args:
        num_classes, embedding_size: of the weights, which are ``weight``, shape
            (num_classes, embedding_size), as in ``nn.Linear``.
        scale: s > 0, an inverse temperature; a tensor or parameter may be trained.
        settings: ``gather_distributed``, ``block``, ``group``, ``average``: see
            :class:`DirectionLoss`. All ranks hold all classes.

    Reference:
        Wang et al. 2017, eq. 6.
    """

    def __init__(
        self, num_classes: int, embedding_size: int, scale: Any = 16.0, **settings: Any
    ) -> None:
        """See the class."""
        super().__init__(LOSSES["normface"], num_classes, embedding_size, scale=scale, **settings)


class CosFaceLoss(_Head):
    """CosFace: ``normtheory.losses.cosface`` with its own class weights.

    As in PyTorch Metric Learning, whose weights ``W`` are the transpose of ``weight``.

    Args:
        num_classes, embedding_size: of the weights, which are ``weight``, shape
            (num_classes, embedding_size).
        margin: m, taken off the cosine of the right class.
        scale: s > 0; both may be tensors, and trained.
        settings: see :class:`NormFaceLoss`.

    Reference:
        Wang et al. 2018, eq. 4; ``pytorch_metric_learning.losses.CosFaceLoss``.
    """

    def __init__(
        self,
        num_classes: int,
        embedding_size: int,
        margin: Any = 0.35,
        scale: Any = 64.0,
        **settings: Any,
    ) -> None:
        """See the class."""
        super().__init__(
            LOSSES["cosface"], num_classes, embedding_size, margin=margin, scale=scale, **settings
        )


class ArcFaceLoss(_Head):
    """ArcFace: ``normtheory.losses.arcface`` with its own class weights.

    The margin is in radians, as in the paper: PyTorch Metric Learning's 28.6 degrees are 0.5. And
    the right class counts with cos(φ + m) throughout, without the switch that others make beyond
    φ = π - m. The weights ``W`` of PyTorch Metric Learning are the transpose of ``weight``.

    Args:
        num_classes, embedding_size: of the weights, which are ``weight``, shape
            (num_classes, embedding_size).
        margin: m in radians, added to the angle to the right class.
        scale: s > 0; both may be tensors, and trained.
        settings: see :class:`NormFaceLoss`.

    Reference:
        Deng et al. 2019, eq. 3; ``pytorch_metric_learning.losses.ArcFaceLoss``.

    Example:
        >>> import torch
        >>> from normtheory.torch import ArcFaceLoss
        >>> head = ArcFaceLoss(num_classes=10, embedding_size=4)
        >>> head(torch.eye(4), torch.arange(4)).backward()
        >>> head.weight.grad.shape, head.logits(torch.eye(4)).shape
        (torch.Size([10, 4]), torch.Size([4, 10]))
    """

    def __init__(
        self,
        num_classes: int,
        embedding_size: int,
        margin: Any = 0.5,
        scale: Any = 64.0,
        **settings: Any,
    ) -> None:
        """See the class."""
        super().__init__(
            LOSSES["arcface"], num_classes, embedding_size, margin=margin, scale=scale, **settings
        )


__all__ = ["ArcFaceLoss", "CosFaceLoss", "NormFaceLoss"]
