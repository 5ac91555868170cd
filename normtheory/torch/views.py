"""Two views of every image: NT-Xent, the decoupled loss, negative cosines. Names as in Lightly."""

from __future__ import annotations

from functools import partial
from typing import Any

from normtheory.losses import LOSSES, Loss
from normtheory.losses._contrast import decoupled
from normtheory.losses.definitions.nt_xent import among_views
from normtheory.torch._module import DirectionLoss

Tensor = Any  # torch.Tensor, which a checker without PyTorch doesn't know

_DECOUPLED = Loss(
    name="decoupled_views",
    summary="Mean over 2n views i of log Σ_k exp(ẑ_i·ẑ_k/τ) - ẑ_i·ẑ_j/τ, j its partner, k ∉ {i,j}.",
    clouds=LOSSES["nt_xent"].clouds,
    options=LOSSES["nt_xent"].options,
    slope=partial(among_views, side=decoupled),
    source="Yeh et al. 2022, eq. 6",
    all_pairs=True,
)


class NTXentLoss(DirectionLoss):
    """NT-Xent, the loss of SimCLR: ``normtheory.losses.nt_xent`` of both views.

    As in Lightly; its memory bank, which makes another loss of it, is :class:`MoCoLoss`. Over
    several processes every rank gets the mean over all views, where Lightly's get that over their
    own; after averaging the gradients are the same.

    Args:
        temperature: τ > 0; a tensor may be trained.
        gather_distributed, block, group, average: see :class:`DirectionLoss`.

    Reference:
        Chen et al. 2020, eq. 1; Lightly, ``lightly.loss.NTXentLoss``.

    Example:
        >>> import torch
        >>> from normtheory.torch import NTXentLoss
        >>> z = torch.eye(3)
        >>> round(float(NTXentLoss(temperature=0.5)(z, z)), 4)
        0.4327
    """

    def __init__(
        self, temperature: Any = 0.5, *, gather_distributed: bool = False, **settings: Any
    ) -> None:
        """See the class."""
        if "memory_bank_size" in settings:
            bank = settings.pop("memory_bank_size")
            if bank not in (0, (0,), [0]):
                raise ValueError("memory_bank_size: expected 0; with a queue the loss is MoCoLoss")
        super().__init__(
            LOSSES["nt_xent"],
            temperature=temperature,
            gather_distributed=gather_distributed,
            **settings,
        )

    def forward(self, out0: Tensor, out1: Tensor) -> Tensor:
        """The loss of two views of n images, each (n, d), partners in the same row."""
        return super().forward(out0, out1)


class DCLLoss(DirectionLoss):
    """The decoupled contrastive loss among both views, the mean over all of them.

    As in Lightly, without its ``weight_fn``: the negatives are the others of both views. The loss
    ``normtheory.losses.decoupled`` is one-sided and has those of the other view alone, as the
    paper's own code.

    Args:
        temperature: τ > 0; a tensor may be trained.
        gather_distributed, block, group, average: see :class:`DirectionLoss`.

    Reference:
        Yeh et al. 2022, eq. 6; Lightly, ``lightly.loss.DCLLoss``.
    """

    def __init__(
        self, temperature: Any = 0.1, *, gather_distributed: bool = False, **settings: Any
    ) -> None:
        """See the class."""
        super().__init__(
            _DECOUPLED, temperature=temperature, gather_distributed=gather_distributed, **settings
        )

    def forward(self, out0: Tensor, out1: Tensor) -> Tensor:
        """The loss of two views of n images, each (n, d), partners in the same row."""
        return super().forward(out0, out1)


class NegativeCosineSimilarity(DirectionLoss):
    """Minus the mean cosine of partners: ``normtheory.losses.attraction``.

    The half of SimSiam's and BYOL's loss, ``loss(p_1, z_2.detach())``; detach the target yourself,
    as with Lightly's, whose ``dim`` (the last) and ``eps`` (none) are not asked for.

    Args:
        gather_distributed, group, average: see :class:`DirectionLoss`. A mean over rows needs no
            other process: with equal parts, averaged gradients are the same without.

    Reference:
        Chen and He 2021, eq. 1; Lightly, ``lightly.loss.NegativeCosineSimilarity``.
    """

    def __init__(self, **settings: Any) -> None:
        """See the class."""
        super().__init__(LOSSES["attraction"], **settings)

    def forward(self, x0: Tensor, x1: Tensor) -> Tensor:
        """The loss of partners in the same row, each (n, d)."""
        return super().forward(x0, x1)


__all__ = ["DCLLoss", "NTXentLoss", "NegativeCosineSimilarity"]
