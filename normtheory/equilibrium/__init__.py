"""Where weight decay and growth by gradient steps balance, by optimizer.

All for embeddings as free parameters whose gradients are fresh: of mean zero given the past, as
against ever new partners. ``equilibrium_norm`` and ``equilibrium_angular_step`` (plain SGD, also as
``nt.equilibrium_norm``) are about one pair and its rate; the functions named after an optimizer
take that optimizer's numbers, and a rate that belongs to the loss as written.

The ``_cosine`` functions say how far embeddings have turned after some steps.
"""

from __future__ import annotations

from normtheory.equilibrium._adam import adam_cosine, adam_norm
from normtheory.equilibrium._adamw import adamw_cosine, adamw_norm
from normtheory.equilibrium._decay import equilibrium_angular_step, equilibrium_norm
from normtheory.equilibrium._frequency import frequency_exponent
from normtheory.equilibrium._lion import lion_cosine, lion_norm
from normtheory.equilibrium._momentum import momentum_cosine, momentum_norm

__all__ = [
    "adam_cosine",
    "adam_norm",
    "adamw_cosine",
    "adamw_norm",
    "equilibrium_angular_step",
    "equilibrium_norm",
    "frequency_exponent",
    "lion_cosine",
    "lion_norm",
    "momentum_cosine",
    "momentum_norm",
]
