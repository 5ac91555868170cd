"""Losses of directions, each with its closed-form gradient.

``LOSSES`` maps names to :class:`Loss` objects. To add a loss, write its value and its derivative
with respect to what it sees in a file of this folder (most see similarities: a dozen lines) and
list it below. Projection, division by the norm and differentiation come from ``_core``, and the
tests run over ``LOSSES``.
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
    alignment as alignment,
)
from normtheory.losses._alignment import (
    alignment_gradient as alignment_gradient,
)
from normtheory.losses._alignment import (
    attraction as attraction,
)
from normtheory.losses._alignment import (
    attraction_gradient as attraction_gradient,
)
from normtheory.losses._alignment import (
    repulsion as repulsion,
)
from normtheory.losses._alignment import (
    repulsion_gradient as repulsion_gradient,
)
from normtheory.losses._alignment import (
    uniformity as uniformity,
)
from normtheory.losses._alignment import (
    uniformity_gradient as uniformity_gradient,
)
from normtheory.losses._decoupled import (
    decoupled as decoupled,
)
from normtheory.losses._decoupled import (
    decoupled_gradient as decoupled_gradient,
)
from normtheory.losses._info_nce import (
    clip as clip,
)
from normtheory.losses._info_nce import (
    clip_gradient as clip_gradient,
)
from normtheory.losses._info_nce import (
    clip_temperature_gradient as clip_temperature_gradient,
)
from normtheory.losses._info_nce import (
    info_nce as info_nce,
)
from normtheory.losses._info_nce import (
    info_nce_gradient as info_nce_gradient,
)
from normtheory.losses._margin_softmax import (
    arcface as arcface,
)
from normtheory.losses._margin_softmax import (
    arcface_gradient as arcface_gradient,
)
from normtheory.losses._margin_softmax import (
    cosface as cosface,
)
from normtheory.losses._margin_softmax import (
    cosface_gradient as cosface_gradient,
)
from normtheory.losses._margin_softmax import (
    normface as normface,
)
from normtheory.losses._margin_softmax import (
    normface_gradient as normface_gradient,
)
from normtheory.losses._moco import (
    moco as moco,
)
from normtheory.losses._moco import (
    moco_gradient as moco_gradient,
)
from normtheory.losses._nt_xent import (
    nt_xent as nt_xent,
)
from normtheory.losses._nt_xent import (
    nt_xent_gradient as nt_xent_gradient,
)
from normtheory.losses._predictive import (
    byol as byol,
)
from normtheory.losses._predictive import (
    byol_gradient as byol_gradient,
)
from normtheory.losses._predictive import (
    simsiam as simsiam,
)
from normtheory.losses._predictive import (
    simsiam_gradient as simsiam_gradient,
)
from normtheory.losses._prototypes import (
    dino as dino,
)
from normtheory.losses._prototypes import (
    dino_gradient as dino_gradient,
)
from normtheory.losses._prototypes import (
    swav as swav,
)
from normtheory.losses._prototypes import (
    swav_gradient as swav_gradient,
)
from normtheory.losses._registry import Loss as Loss
from normtheory.losses._registry import by_name
from normtheory.losses._siglip import (
    siglip as siglip,
)
from normtheory.losses._siglip import (
    siglip_gradient as siglip_gradient,
)
from normtheory.losses._supcon import (
    supcon as supcon,
)
from normtheory.losses._supcon import (
    supcon_gradient as supcon_gradient,
)
from normtheory.losses._triplet import (
    triplet as triplet,
)
from normtheory.losses._triplet import (
    triplet_gradient as triplet_gradient,
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
