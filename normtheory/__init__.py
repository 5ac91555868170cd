"""normtheory: the theory and simulation of embedding norms in self-supervised learning.

The names below are loaded when first used, so importing the package is quick, loads neither sympy
nor hypothesis, and changes no global setting.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from normtheory._version import __version__ as __version__

if TYPE_CHECKING:
    from normtheory import claims as claims
    from normtheory import course as course
    from normtheory import drift as drift
    from normtheory import equilibrium as equilibrium
    from normtheory import invariants as invariants
    from normtheory import losses as losses
    from normtheory import particles as particles
    from normtheory import sphere as sphere
    from normtheory import stability as stability
    from normtheory import symmetric as symmetric
    from normtheory import temperature as temperature
    from normtheory import testing as testing
    from normtheory import verify as verify
    from normtheory.cosine import angle as angle
    from normtheory.cosine import cosine_gradient as cosine_gradient
    from normtheory.cosine import cosine_hessian as cosine_hessian
    from normtheory.cosine import cosine_similarity as cosine_similarity
    from normtheory.diagnosis import Diagnosis as Diagnosis
    from normtheory.diagnosis import diagnose as diagnose
    from normtheory.equilibrium import equilibrium_angular_step as equilibrium_angular_step
    from normtheory.equilibrium import equilibrium_norm as equilibrium_norm
    from normtheory.flow import FlowApproximationWarning as FlowApproximationWarning
    from normtheory.flow import flow_angle as flow_angle
    from normtheory.flow import random_pair_steps as random_pair_steps
    from normtheory.flow import steps_to_converge as steps_to_converge
    from normtheory.interventions import cut_init as cut_init
    from normtheory.interventions import grad_scale as grad_scale
    from normtheory.monitoring import Monitor as Monitor
    from normtheory.pair import PairState as PairState
    from normtheory.pair import effective_learning_rate as effective_learning_rate
    from normtheory.pair import pair_decay as pair_decay
    from normtheory.pair import pair_rate as pair_rate
    from normtheory.pair import pair_step as pair_step
    from normtheory.pair_simulation import PairSimulation as PairSimulation
    from normtheory.pair_simulation import simulate_pairs as simulate_pairs
    from normtheory.prediction import Prediction as Prediction
    from normtheory.prediction import predict as predict
    from normtheory.sphere import tangent_projection as tangent_projection

_HOME = {
    "angle": "cosine",
    "cosine_gradient": "cosine",
    "cosine_hessian": "cosine",
    "cosine_similarity": "cosine",
    "tangent_projection": "sphere",
    "Diagnosis": "diagnosis",
    "diagnose": "diagnosis",
    "cut_init": "interventions",
    "grad_scale": "interventions",
    "FlowApproximationWarning": "flow",
    "Monitor": "monitoring",
    "PairState": "pair",
    "effective_learning_rate": "pair",
    "equilibrium_angular_step": "equilibrium",
    "equilibrium_norm": "equilibrium",
    "flow_angle": "flow",
    "pair_decay": "pair",
    "pair_rate": "pair",
    "pair_step": "pair",
    "Prediction": "prediction",
    "predict": "prediction",
    "random_pair_steps": "flow",
    "steps_to_converge": "flow",
    "PairSimulation": "pair_simulation",
    "simulate_pairs": "pair_simulation",
}
_MODULES = (
    "claims",
    "course",
    "drift",
    "equilibrium",
    "invariants",
    "losses",
    "particles",
    "sphere",
    "stability",
    "symmetric",
    "temperature",
    "testing",
    "verify",
)

__all__ = sorted([*_HOME, *_MODULES, "__version__"])


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(importlib.import_module(f"normtheory.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"normtheory.{name}")
    raise AttributeError(f"module 'normtheory' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
