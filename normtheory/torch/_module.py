"""What all modules share: a loss, its options, blocks, and processes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from normtheory._arrays import check_flag, check_kind
from normtheory.losses import Loss
from normtheory.losses._door import checked
from normtheory.torch._processes import averaged, several, shared

Tensor = Any  # torch.Tensor, which a checker without PyTorch doesn't know


class DirectionLoss(nn.Module):
    """Any loss of directions as a module, one of your own too.

    Over several processes every rank gives its own rows, as many as it has, and gets the loss of
    the whole batch. The gradient of its rows is that of the whole batch times the number of
    processes, which ``DistributedDataParallel`` divides by when it averages; that of a temperature,
    of class weights and of whatever else all ranks hold is the plain one. So a step is that of one
    process with the whole batch. With ``average=False`` nothing is multiplied, for gradients that
    are added.

    All ranks of a group have to call the loss. If one of them refuses its rows, all raise an error.

    Args:
        loss: of :data:`normtheory.losses.LOSSES`, or made with :class:`normtheory.losses.Loss`.
        block: None forms all similarities at once; a number of rows, or "auto", goes by blocks of
            rows, in memory O(n·block). For losses of all pairs.
        gather_distributed: whether the batch is spread over all processes, if there are several.
        group: the processes that hold it, if not all; this implies ``gather_distributed``.
        average: whether gradients are averaged over processes afterwards, as
            ``DistributedDataParallel`` does.
        **options: of the loss: numbers, tensors, parameters (which become the module's own).

    Raises:
        TypeError, ValueError: an unknown option, or one out of range; no truth value where one is
            expected.

    Example:
        >>> import torch, normtheory as nt
        >>> from normtheory.torch import DirectionLoss
        >>> loss = DirectionLoss(nt.losses.uniformity, sharpness=2.0, block=2)
        >>> z = torch.eye(4, requires_grad=True)
        >>> loss(z).backward()
        >>> z.grad.shape
        torch.Size([4, 4])
    """

    def __init__(
        self,
        loss: Loss,
        *,
        block: int | str | None = None,
        gather_distributed: bool = False,
        group: Any = None,
        average: bool = True,
        **options: Any,
    ) -> None:
        """See the class."""
        super().__init__()
        check_kind("loss", loss, Loss, "a Loss, such as one of normtheory.losses.LOSSES")
        self.loss = loss
        if block is not None and not loss.all_pairs:
            raise ValueError(f"block: {loss.name} is not of all pairs, so that nothing is divided")
        self.block, self.group, self.average = block, group, check_flag("average", average)
        gather = check_flag("gather_distributed", gather_distributed)
        self.gather_distributed = gather or group is not None
        for name, value in options.items():
            if loss.option(name).kind == "flag":
                check_flag(name, value)
            elif loss.option(name).kind == "number":  # labels come with their batch
                checked(loss.option(name), value)
            setattr(self, name, value)
        self._options = tuple(options)

    def forward(self, *clouds: Tensor, **options: Any) -> Tensor:
        """The loss of clouds, each (n, d), with options that change from batch to batch.

        Args:
            *clouds: in the order of the loss.
            **options: labels, codes and the like; and what is to differ from the module's.
        """
        given = {name: self._given(name) for name in self._options}
        return self._value(*clouds, **(given | options))

    def _given(self, name: str) -> Any:
        """An option of the module."""
        return getattr(self, name)

    @torch.compiler.disable
    def _value(self, *clouds: Tensor, **options: Any) -> Tensor:
        loss = self.loss
        clouds = _of_one_dtype(*clouds)
        extra = {"block": self.block} if loss.all_pairs else {}
        group = several(self.group, self.gather_distributed)
        if group is None:
            return loss(*clouds, **options, **extra)
        if self.average:
            rows = loss.clouds[0].rows
            clouds = tuple(
                z if cloud.rows == rows else shared(z, group)
                for cloud, z in zip(loss.clouds, clouds, strict=True)
            )
            options = {name: shared(x, group) for name, x in options.items()}
        value = loss(*clouds, **options, **extra, group=group)
        return averaged(value, group) if self.average else value

    def extra_repr(self) -> str:
        """The loss and its options."""
        shown = [f"{name}={getattr(self, name)!r}" for name in self._options]
        return ", ".join([self.loss.name, *shown, f"block={self.block!r}"])


def _of_one_dtype(*clouds: Tensor) -> tuple[Tensor, ...]:
    """Embeddings of autocast beside parameters in float32: the narrower is widened, exactly."""
    dtype = clouds[0].dtype
    for z in clouds[1:]:
        dtype = torch.promote_types(dtype, z.dtype)
    return tuple(z.to(dtype) for z in clouds)
