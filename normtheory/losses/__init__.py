"""Losses of directions, each with its closed-form gradient.

``LOSSES`` maps names to :class:`Loss` objects. To add a loss, write its value and its derivative
with respect to what it sees in a file of this folder (most are a function of similarities: a dozen
lines), and list the module
below: projection, division by the norm, differentiation and checks are inherited from ``_core``,
and the tests run over ``LOSSES``.
"""

from __future__ import annotations

from normtheory.losses import (
    alignment as _alignment,
)
from normtheory.losses import (
    decoupled as _decoupled,
)
from normtheory.losses import (
    info_nce as _info_nce,
)
from normtheory.losses import (
    margin_softmax as _margin_softmax,
)
from normtheory.losses import (
    moco as _moco,
)
from normtheory.losses import (
    nt_xent as _nt_xent,
)
from normtheory.losses import (
    predictive as _predictive,
)
from normtheory.losses import (
    prototypes as _prototypes,
)
from normtheory.losses import (
    siglip as _siglip,
)
from normtheory.losses import (
    supcon as _supcon,
)
from normtheory.losses import (
    triplet as _triplet,
)
from normtheory.losses._registry import Loss, by_name

_FILES = (
    _alignment,
    _info_nce,
    _nt_xent,
    _decoupled,
    _supcon,
    _siglip,
    _predictive,
    _moco,
    _triplet,
    _margin_softmax,
    _prototypes,
)

LOSSES = by_name(tuple(loss for file in _FILES for loss in file.LOSSES))
