"""The losses of :mod:`normtheory.losses` as modules of PyTorch, under the names that people know.

Each is a thin ``torch.nn.Module`` over one loss: value and gradient are its closed form, no graph
and with ``block`` no n × n matrix is kept. Names and arguments are those of Lightly, OpenCLIP and
PyTorch Metric Learning; where a convention differs the docstring says so. Two differences are
common to all. Embeddings are normalised here, with no epsilon, and a zero row is an error. And
keyword arguments that only say how something is computed are left out.

Under autocast, and for bfloat16 and float16 embeddings, all is computed in float32; the gradient
comes back in the dtype of the embeddings.

With a group of processes (``gather_distributed=True``, ``world_size``, or ``group``) each holds
some rows of one batch, and the loss is that of the whole batch, on every rank. The gradients are
made for ``DistributedDataParallel``, which averages them over the ranks: see
:class:`DirectionLoss`.

Inside ``torch.compile`` a module is a graph break: it runs as written, with every check, between
the compiled parts. ``fullgraph=True`` refuses it.

:func:`watch` looks at the norms of what a module puts out while it is trained.

Needs the extra ``torch``. Nothing else of the package imports PyTorch before it sees a tensor.
"""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "normtheory.torch needs PyTorch: pip install normtheory[torch]"
    ) from error

from normtheory.torch._module import DirectionLoss
from normtheory.torch._processes import shared
from normtheory.torch._watch import Watch, watch
from normtheory.torch.classes import ArcFaceLoss, CosFaceLoss, NormFaceLoss
from normtheory.torch.language import ClipLoss, SigLipLoss
from normtheory.torch.queue import MoCoLoss
from normtheory.torch.supervised import SupConLoss
from normtheory.torch.swapped import SwaVLoss, sinkhorn
from normtheory.torch.views import DCLLoss, NegativeCosineSimilarity, NTXentLoss

__all__ = [
    "ArcFaceLoss",
    "ClipLoss",
    "CosFaceLoss",
    "DCLLoss",
    "DirectionLoss",
    "MoCoLoss",
    "NTXentLoss",
    "NegativeCosineSimilarity",
    "NormFaceLoss",
    "SigLipLoss",
    "SupConLoss",
    "SwaVLoss",
    "Watch",
    "shared",
    "sinkhorn",
    "watch",
]
