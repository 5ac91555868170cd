"""Images and texts: CLIP and SigLIP with the arguments of OpenCLIP."""

from __future__ import annotations

from typing import Any

import torch

from normtheory._arrays import check_count, check_flag, check_option
from normtheory.losses import LOSSES, Loss
from normtheory.torch._module import DirectionLoss

Tensor = Any  # torch.Tensor, which a checker without PyTorch doesn't know


class _PairLoss(DirectionLoss):
    """What both take: a scale, the inverse of the temperature, from batch to batch."""

    def __init__(self, loss: Loss, world_size: int, rank: int, settings: dict[str, Any]) -> None:
        """See the class."""
        # The rank is that of the process group; only whether there are others is asked.
        check_count("world_size", world_size, 1)
        check_count("rank", rank, 0)
        gather = check_flag("gather_distributed", settings.pop("gather_distributed", False))
        gather = gather or world_size > 1
        super().__init__(loss, gather_distributed=gather, **settings)


def _temperature(logit_scale: Any) -> Any:
    if not isinstance(logit_scale, torch.Tensor):
        scale = check_option("logit_scale", logit_scale)
        if scale <= 0:
            raise ValueError(f"logit_scale: expected a finite number > 0, got {scale!r}")
        return 1 / scale
    return 1 / logit_scale.to(torch.promote_types(logit_scale.dtype, torch.float32))


class ClipLoss(_PairLoss):
    """CLIP's loss with OpenCLIP's arguments: ``normtheory.losses.clip`` at τ = 1/logit_scale.

    Features need no normalisation. ``logit_scale`` is the scale itself, not its logarithm: pass
    ``model.logit_scale.exp()``, and gradients flow through it. A ``logit_bias`` cancels in the
    softmaxes; it is taken, and its gradient is 0.

    Over several processes the features are always gathered with their gradients (OpenCLIP's
    ``gather_with_grad=True``), each rank forms its own rows of logits (``local_loss=True``), and
    gets the loss of the whole batch.

    Args:
        local_loss, cache_labels, rank: taken and not needed.
        gather_with_grad: True, if given; the default of OpenCLIP drops part of the gradient.
        world_size: whether the batch is spread over all processes (> 1), as ``gather_distributed``.
        settings: ``gather_distributed``, ``block``, ``group``, ``average``: see
            :class:`DirectionLoss`.

    Raises:
        ValueError: ``gather_with_grad=False`` with several processes.

    Reference:
        Radford et al. 2021, fig. 3; OpenCLIP, ``open_clip.ClipLoss``.

    Example:
        >>> import math, torch
        >>> from normtheory.torch import ClipLoss
        >>> log_scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        >>> image, text = torch.eye(4, requires_grad=True), torch.eye(4) + 0.5
        >>> loss = ClipLoss()(image, text, log_scale.exp())
        >>> loss.backward()
        >>> log_scale.grad.shape, image.grad.shape
        (torch.Size([]), torch.Size([4, 4]))
    """

    def __init__(
        self,
        local_loss: bool = True,
        gather_with_grad: bool = True,
        cache_labels: bool = False,
        rank: int = 0,
        world_size: int = 1,
        **settings: Any,
    ) -> None:
        """See the class."""
        check_flag("local_loss", local_loss)
        check_flag("cache_labels", cache_labels)
        super().__init__(LOSSES["clip"], world_size, rank, settings)
        if not check_flag("gather_with_grad", gather_with_grad) and self.gather_distributed:
            raise ValueError(
                "gather_with_grad: expected True: the gradient of the whole batch is taken, not a "
                "part of it"
            )

    def forward(
        self,
        image_features: Tensor,
        text_features: Tensor,
        logit_scale: Any,
        logit_bias: Any = None,
        output_dict: bool = False,
    ) -> Any:
        """The loss of n pairs.

        Args:
            image_features: shape (n, d).
            text_features: shape (n, d), partners in the same row.
            logit_scale: 1/τ > 0, a number or a tensor with one entry.
            logit_bias: cancels.
            output_dict: whether to give back ``{"contrastive_loss": loss}``.
        """
        check_flag("output_dict", output_dict)
        value = super().forward(
            image_features, text_features, temperature=_temperature(logit_scale)
        )
        if isinstance(logit_bias, torch.Tensor) and logit_bias.requires_grad:
            value = value + 0 * logit_bias.sum()  # so that nobody misses its gradient
        return {"contrastive_loss": value} if output_dict else value


class SigLipLoss(_PairLoss):
    """SigLIP with OpenCLIP's arguments: ``normtheory.losses.siglip`` at τ = 1/logit_scale.

    Features need no normalisation. ``logit_scale`` is the scale itself, not its logarithm.
    Gradients flow through scale and bias.

    Over several processes the sum is divided by the number of all pairs, and every rank gets that
    of the whole batch; OpenCLIP's get their own rows, with the same mean.

    Args:
        cache_labels, rank, dist_impl: taken and not needed.
        world_size: whether the batch is spread over all processes (> 1), as ``gather_distributed``.
        chunk_size: OpenCLIP's name of ``block``; 0 for none.
        settings: ``gather_distributed``, ``block``, ``group``, ``average``: see
            :class:`DirectionLoss`.

    Reference:
        Zhai et al. 2023, sec. 3.2; OpenCLIP, ``open_clip.SigLipLoss``.
    """

    def __init__(
        self,
        cache_labels: bool = False,
        rank: int = 0,
        world_size: int = 1,
        dist_impl: str | None = None,
        chunk_size: int = 0,
        **settings: Any,
    ) -> None:
        """See the class."""
        check_flag("cache_labels", cache_labels)
        check_count("chunk_size", chunk_size, 0)
        if chunk_size:
            settings.setdefault("block", chunk_size)
        super().__init__(LOSSES["siglip"], world_size, rank, settings)

    def forward(
        self,
        image_features: Tensor,
        text_features: Tensor,
        logit_scale: Any,
        logit_bias: Any = None,
        output_dict: bool = False,
    ) -> Any:
        """The loss of n pairs.

        Args:
            image_features: shape (n, d).
            text_features: shape (n, d), partners in the same row.
            logit_scale: 1/τ > 0, a number or a tensor with one entry.
            logit_bias: β, a number or a tensor with one entry; None for 0, not for the -10 of
                ``normtheory.losses.siglip``.
            output_dict: whether to give back ``{"contrastive_loss": loss}``.
        """
        check_flag("output_dict", output_dict)
        value = super().forward(
            image_features,
            text_features,
            temperature=_temperature(logit_scale),
            bias=0.0 if logit_bias is None else logit_bias,
        )
        return {"contrastive_loss": value} if output_dict else value


__all__ = ["ClipLoss", "SigLipLoss"]
