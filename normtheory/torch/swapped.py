"""SwAV: codes of one view, found by Sinkhorn's iteration, are what the other views predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import distributed

from normtheory._arrays import check_count, check_flag, check_option
from normtheory.losses import LOSSES
from normtheory.torch._module import DirectionLoss, _of_one_dtype
from normtheory.torch._processes import several

Tensor = Any  # torch.Tensor, which a checker without PyTorch doesn't know


def sinkhorn(
    similarities: Tensor, iterations: int = 3, epsilon: float = 0.05, group: Any = None
) -> Tensor:
    """Codes: every sample spreads 1 over the prototypes, and every prototype gets as much.

    Without gradient, and by logarithms, so that a small ε does not overflow.

    Args:
        similarities: cosines of samples and prototypes, shape (n, k).
        iterations: alternations between prototypes and samples, >= 1.
        epsilon: ε > 0, a temperature.
        group: processes that hold rows of one batch; None for this one alone.

    Returns:
        Shape (n, k), rows that sum to 1.

    Reference:
        Caron et al. 2020, sec. 3.1, after Cuturi 2013; Lightly's ``sinkhorn``.
    """
    check_count("iterations", iterations, 1)
    if check_option("epsilon", epsilon) <= 0:
        raise ValueError(f"epsilon: expected a number > 0, got {epsilon!r}")
    with torch.no_grad(), torch.autocast(similarities.device.type, enabled=False):
        wide = similarities.to(torch.promote_types(similarities.dtype, torch.float32))
        logs = wide / epsilon
        for _ in range(iterations):
            logs = logs - _log_sum_over_samples(logs, group)
            logs = logs - torch.logsumexp(logs, dim=1, keepdim=True)
        return torch.softmax(logs, dim=1)


def _log_sum_over_samples(logs: Tensor, group: Any) -> Tensor:
    top = torch.amax(logs, dim=0)
    if group is not None:
        distributed.all_reduce(top, distributed.ReduceOp.MAX, group=group)
    total = torch.sum(torch.exp(logs - top), dim=0)
    if group is not None:
        distributed.all_reduce(total, group=group)
    return top + torch.log(total)


class SwaVLoss(DirectionLoss):
    """SwAV: ``normtheory.losses.swav`` of every crop against the codes of every other.

    Unlike Lightly's it takes features and prototypes, not their products, since it normalises both;
    otherwise the number is that of Lightly's for normalised ones, as a scalar.

    Args:
        temperature: τ > 0; a tensor may be trained.
        sinkhorn_iterations, sinkhorn_epsilon: see :func:`sinkhorn`.
        sinkhorn_gather_distributed: whether codes, and the mean, are of all processes.
        settings: ``block``, ``group``, ``average``: see :class:`DirectionLoss`.

    Reference:
        Caron et al. 2020, eqs. 1 and 2; Lightly, ``lightly.loss.SwaVLoss``.
    """

    def __init__(
        self,
        temperature: Any = 0.1,
        sinkhorn_iterations: int = 3,
        sinkhorn_epsilon: float = 0.05,
        sinkhorn_gather_distributed: bool = False,
        **settings: Any,
    ) -> None:
        """See the class."""
        gather = check_flag("sinkhorn_gather_distributed", sinkhorn_gather_distributed)
        settings.setdefault("gather_distributed", gather)
        super().__init__(LOSSES["swav"], temperature=temperature, **settings)
        check_count("sinkhorn_iterations", sinkhorn_iterations, 1)
        self.sinkhorn_iterations, self.sinkhorn_epsilon = sinkhorn_iterations, sinkhorn_epsilon

    def forward(
        self,
        high_resolution_features: Sequence[Tensor],
        low_resolution_features: Sequence[Tensor],
        prototypes: Tensor,
        queue_features: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """The mean over the large crops of that over all other crops.

        Args:
            high_resolution_features: of every large crop, (n, d); these make codes.
            low_resolution_features: of every small crop, (n, d); may be empty.
            prototypes: shape (k, d).
            queue_features: older features for every large crop, (m, d), which take part in its
                codes.

        Raises:
            ValueError: fewer than two crops, or none that makes codes.
        """
        crops = [*high_resolution_features, *low_resolution_features]
        large = len(high_resolution_features)
        if not large or len(crops) < 2:
            raise ValueError(f"expected two crops or more, one of them large, got {len(crops)}")
        terms = []
        for i in range(large):
            older = None if queue_features is None else queue_features[i]
            codes = self.codes(crops[i], prototypes, older)
            for j, features in enumerate(crops):
                if j != i:
                    terms.append(DirectionLoss.forward(self, features, prototypes, codes=codes))
        return sum(terms) / len(terms)

    @torch.compiler.disable
    def codes(self, features: Tensor, prototypes: Tensor, older: Tensor | None = None) -> Tensor:
        """Codes of the features of a crop, shape (n, k), with older ones taking part."""
        with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
            some = [features] if older is None else [features, older]
            *some, prototypes = _of_one_dtype(*some, prototypes)
            wide = torch.promote_types(prototypes.dtype, torch.float32)
            z, c = torch.cat(some).to(wide), prototypes.to(wide)
            cosines = torch.nn.functional.normalize(z, dim=1, eps=0.0) @ (
                torch.nn.functional.normalize(c, dim=1, eps=0.0).T
            )
            group = several(self.group, self.gather_distributed)
            found = sinkhorn(cosines, self.sinkhorn_iterations, self.sinkhorn_epsilon, group)
            return found[: len(features)]


__all__ = ["SwaVLoss", "sinkhorn"]
