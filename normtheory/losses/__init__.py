"""Losses of directions, each with its closed-form gradient.

``LOSSES`` maps names to :class:`Loss` objects. To add a loss, write its value and its derivative
with respect to what it sees in a file of this folder (most see similarities: a dozen lines) and
list it below. Projection, division by the norm and differentiation come from ``_core``, and the
tests run over ``LOSSES``.

``DISOBEDIENT`` holds losses that are *not* of directions, as negative controls, and
:func:`norm_exponent` measures what sets them apart.

Rows and options are checked wherever their values can be seen, under ``jax.grad`` too. Inside
``jax.jit`` and ``jax.vmap`` they can't: a zero or non-finite row makes the value NaN, and the
gradient of that row and of every row whose gradient depends on it. For losses of pairs and triplets
those are the row and its partners; for a loss with a softmax over the batch, all rows that share a
softmax with it. A temperature or another option is not checked then.
"""

from __future__ import annotations

from normtheory.losses import (
    _alignment,
    _decoupled,
    _info_nce,
    _margin_softmax,
    _moco,
    _nt_xent,
    _predictive,
    _prototypes,
    _siglip,
    _supcon,
    _triplet,
)
from normtheory.losses._alignment import (
    alignment,
    alignment_gradient,
    attraction,
    attraction_gradient,
    repulsion,
    repulsion_gradient,
    uniformity,
    uniformity_gradient,
)
from normtheory.losses._decoupled import (
    decoupled,
    decoupled_gradient,
)
from normtheory.losses._disobedient import DISOBEDIENT, Disobedient
from normtheory.losses._exponent import gradient_norms, norm_exponent
from normtheory.losses._info_nce import (
    clip,
    clip_gradient,
    clip_temperature_gradient,
    info_nce,
    info_nce_gradient,
)
from normtheory.losses._margin_softmax import (
    arcface,
    arcface_gradient,
    cosface,
    cosface_gradient,
    normface,
    normface_gradient,
)
from normtheory.losses._moco import (
    moco,
    moco_gradient,
)
from normtheory.losses._nt_xent import (
    nt_xent,
    nt_xent_gradient,
)
from normtheory.losses._predictive import (
    byol,
    byol_gradient,
    simsiam,
    simsiam_gradient,
)
from normtheory.losses._prototypes import (
    dino,
    dino_gradient,
    swav,
    swav_gradient,
)
from normtheory.losses._registry import Loss, by_name
from normtheory.losses._siglip import (
    siglip,
    siglip_gradient,
)
from normtheory.losses._supcon import (
    supcon,
    supcon_gradient,
)
from normtheory.losses._triplet import (
    triplet,
    triplet_gradient,
)

LOSSES = by_name(
    (
        *_alignment.LOSSES,
        *_info_nce.LOSSES,
        *_nt_xent.LOSSES,
        *_decoupled.LOSSES,
        *_supcon.LOSSES,
        *_siglip.LOSSES,
        *_predictive.LOSSES,
        *_moco.LOSSES,
        *_triplet.LOSSES,
        *_margin_softmax.LOSSES,
        *_prototypes.LOSSES,
    )
)

__all__ = [
    "DISOBEDIENT",
    "LOSSES",
    "Disobedient",
    "Loss",
    "alignment",
    "alignment_gradient",
    "arcface",
    "arcface_gradient",
    "attraction",
    "attraction_gradient",
    "byol",
    "byol_gradient",
    "clip",
    "clip_gradient",
    "clip_temperature_gradient",
    "cosface",
    "cosface_gradient",
    "decoupled",
    "decoupled_gradient",
    "dino",
    "dino_gradient",
    "gradient_norms",
    "info_nce",
    "info_nce_gradient",
    "moco",
    "moco_gradient",
    "norm_exponent",
    "normface",
    "normface_gradient",
    "nt_xent",
    "nt_xent_gradient",
    "repulsion",
    "repulsion_gradient",
    "siglip",
    "siglip_gradient",
    "simsiam",
    "simsiam_gradient",
    "supcon",
    "supcon_gradient",
    "swav",
    "swav_gradient",
    "triplet",
    "triplet_gradient",
    "uniformity",
    "uniformity_gradient",
]
