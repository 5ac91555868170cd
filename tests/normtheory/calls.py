"""One call of every public function that takes values, which its door lets in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

import normtheory as nt
from normtheory import particles
from normtheory.losses import LOSSES
from normtheory.particles import System, forces, observables, optimizers, sampling, stop, trained

RNG = np.random.default_rng(0)
Z, Y = RNG.standard_normal((2, 6, 4))
LABELS = np.array([0, 1, 2, 0, 1, 2])
PAIR = {"angle": 1.0, "norm_i": 1.0, "norm_j": 1.0}
CLOSE = {
    "norm_i": 1.0,
    "norm_j": 1.0,
    "momentum": 0.5,
    "gradscale": 0.0,
    "stop_gradient": False,
}
RATE = {"learning_rate": 0.1, "weight_decay": 0.1}
FORCE = forces.attraction()


class Call(NamedTuple):
    """A function, and arguments by name."""

    function: Callable[..., Any]
    arguments: dict[str, Any]

    def __call__(self, **changed: Any) -> Any:
        """Call it, with some of the arguments changed."""
        return self.function(**(self.arguments | changed))


@functools.cache
def state() -> particles.State:
    """A state of two clouds."""
    return particles.init(System(FORCE, 1.0), Z, Y)


def _pair_step(**options: Any) -> Any:
    pair = nt.PairState(*(options.pop(name) for name in PAIR))
    return nt.pair_step(pair, **options)


def _equiangular_step(cosine: Any, norm: Any, **options: Any) -> Any:
    return nt.symmetric.equiangular_step(nt.symmetric.EquiangularState(cosine, norm), **options)


def _gap_step(common: Any, gap: Any, norm: Any, log_scale: Any, **options: Any) -> Any:
    return nt.symmetric.gap_step(nt.symmetric.GapState(common, gap, norm, log_scale), **options)


def _run(**options: Any) -> Any:
    return particles.run(System(FORCE, 1.0), state(), 0, **options)


def _sweep(norm: Any, seeds: Any, **options: Any) -> Any:
    over = {"norm": norm, "seed": seeds}
    return particles.sweep(System(FORCE, 1.0), (Z, Y), over, 0, **options)


def _of_squares(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda cloud, **options: function(lambda z: (z * z).sum(), [cloud], **options)


def _update(**options: Any) -> Any:
    return nt.Monitor().update(**options)


def _verify(**options: Any) -> Any:
    return nt.verify.verify((), **options)


CALLS = {
    "angle": Call(nt.angle, {"z": Z, "y": Y}),
    "cosine_gradient": Call(nt.cosine_gradient, {"z": Z, "y": Y}),
    "cosine_similarity": Call(nt.cosine_similarity, {"z": Z, "y": Y}),
    "cosine_hessian": Call(nt.cosine_hessian, {"z": Z, "y": Y}),
    "cut_init": Call(nt.cut_init, {"model": [np.ones(2)], "factor": 2.0}),
    "diagnose": Call(
        nt.diagnose,
        {
            "embeddings": Z,
            "labels": LABELS,
            "second_view": Y,
            "before": Y,
            "covariates": {"tokens": np.arange(float(len(Z)))},
            "target": np.arange(float(len(Z))) % 2,
            "learning_rate": 0.1,
            "weight_decay": 0.1,
            "optimizer": "adamw",
            "beta_1": 0.5,
            "beta_2": 0.5,
            "epsilon": 0.1,
            "coupled": False,
            "temperature": 0.5,
            "batch_size": 4,
            "reduction": "mean",
            "gradscale": 0.0,
            "tolerance": 1e-3,
            "target_rate": 0.01,
            "target_slowdown": 2.0,
            "neighbours": 2,
            "buckets": 2,
            "sample": 6,
            "unexpected": 2,
            "updates": 1,
            "seed": 0,
            "drop_bad_rows": False,
            "progress": False,
        },
    ),
    "Monitor": Call(
        nt.Monitor,
        {
            "optimizer": "momentum",
            "weight_decay": 0.1,
            "momentum": 0.9,
            "coupled": True,
            "batch_size": 4,
            "reduction": "mean",
            "pairs": 4,
            "scale_rate": 0.1,
            "encoder": True,
            "every": 50,
        },
    ),
    "Monitor.update": Call(
        _update,
        {
            "z": Z,
            "step": 0,
            "loss": 1.0,
            "learning_rate": 0.1,
            "scale": 10.0,
            "labels": LABELS,
            "second_view": Y,
            "probe": Z,
            "gradient": Y,
        },
    ),
    "effective_learning_rate": Call(
        nt.effective_learning_rate, {"learning_rate": 0.1, "norm": 1.0, "gradscale": 0.0}
    ),
    "flow_angle": Call(
        nt.flow_angle,
        {**PAIR, "time": 1.0, "gradscale": 0.0, "repel": False, "stop_gradient": False},
    ),
    "grad_scale": Call(nt.grad_scale, {"z": jnp.ones((2, 3)), "power": 1.0}),
    "pair_decay": Call(nt.pair_decay, {"weight_decay": 0.1, "n": 4, "reduction": "mean"}),
    "pair_rate": Call(nt.pair_rate, {"learning_rate": 0.1, "n": 4, "reduction": "mean"}),
    "pair_step": Call(
        _pair_step, {**PAIR, **RATE, "gradscale": 0.0, "repel": False, "stop_gradient": False}
    ),
    "predict": Call(
        nt.predict,
        {
            "norm": 1.0,
            "norm_j": 1.0,
            **RATE,
            "optimizer": "adamw",
            "beta_1": 0.5,
            "beta_2": 0.5,
            "epsilon": 0.1,
            "coupled": False,
            "batch_size": 4,
            "reduction": "mean",
            "temperature": 0.5,
            "slope": 0.5,
            "dimension": 8,
            "lag": 2,
            "angle": 1.0,
            "tolerance": 0.1,
            "gradscale": 0.0,
            "stop_gradient": False,
            "negatives": 3,
            "alignment": 0.5,
            "margin": 0.5,
            "wrong": 0.1,
            "cosine": 0.5,
            "scale_rate": 0.1,
        },
    ),
    "random_pair_steps": Call(
        nt.random_pair_steps,
        {"dimension": 8, "norm": 1.0, "learning_rate": 0.01, "tolerance": 0.1, "gradscale": 0.0},
    ),
    "simulate_pairs": Call(
        nt.simulate_pairs,
        {
            **PAIR,
            **RATE,
            "tolerance": 0.1,
            "max_steps": 2,
            "record_every": 1,
            "gradscale": 0.0,
            "repel": False,
            "stop_gradient": False,
        },
    ),
    "steps_to_converge": Call(
        nt.steps_to_converge,
        {
            **PAIR,
            "learning_rate": 0.01,
            "tolerance": 0.1,
            "gradscale": 0.0,
            "stop_gradient": False,
        },
    ),
    "tangent_projection": Call(nt.tangent_projection, {"z": Z, "v": Y}),
    "drift.radial_share": Call(nt.drift.radial_share, {"points": Z, "displacements": Y}),
    "drift.linear_encoder_step": Call(
        nt.drift.linear_encoder_step,
        {"mean_square": 1.0, "gradient_norm": 1.0, "learning_rate": 0.1, "weight_decay": 0.1},
    ),
    **{
        f"drift.{name}": Call(getattr(nt.drift, name), {**RATE, "radial": -0.5, "tangential": 1.0})
        for name in ("radial_drift_cosine", "radial_drift_is_stable", "radial_drift_norm")
    },
    "equilibrium.adam_cosine": Call(
        nt.equilibrium.adam_cosine,
        {**RATE, "dimension": 8.0, "slope": 0.5, "beta_1": 0.9, "steps": 1},
    ),
    "equilibrium.adam_norm": Call(
        nt.equilibrium.adam_norm, {**RATE, "dimension": 8.0, "slope": 0.5}
    ),
    "equilibrium.adamw_cosine": Call(
        nt.equilibrium.adamw_cosine, {**RATE, "beta_1": 0.9, "steps": 1}
    ),
    "equilibrium.adamw_norm": Call(
        nt.equilibrium.adamw_norm,
        {
            **RATE,
            "dimension": 8.0,
            "beta_1": 0.9,
            "beta_2": 0.99,
            "epsilon": 0.0,
            "frequency": 1.0,
        },
    ),
    "equilibrium_angular_step": Call(nt.equilibrium_angular_step, RATE),
    "equilibrium_norm": Call(
        nt.equilibrium_norm, {**RATE, "mean_square_sine": 0.5, "gradscale": 0.0}
    ),
    "equilibrium.lion_cosine": Call(
        nt.equilibrium.lion_cosine, {**RATE, "beta_1": 0.9, "beta_2": 0.99, "steps": 1}
    ),
    "equilibrium.lion_norm": Call(
        nt.equilibrium.lion_norm, {**RATE, "dimension": 8.0, "beta_1": 0.9, "beta_2": 0.99}
    ),
    "equilibrium.momentum_cosine": Call(
        nt.equilibrium.momentum_cosine, {**RATE, "momentum": 0.9, "steps": 1, "coupled": False}
    ),
    "equilibrium.momentum_norm": Call(
        nt.equilibrium.momentum_norm,
        {**RATE, "momentum": 0.9, "mean_square_sine": 0.5, "coupled": False},
    ),
    "invariants.common_pull_order": Call(
        nt.invariants.common_pull_order, {"start": 0.1, "norm": 2.0, "time": 1.0}
    ),
    "invariants.cross_ratio": Call(
        nt.invariants.cross_ratio, {"a": Z, "b": Y, "c": Z + Y, "d": Z - Y}
    ),
    "invariants.heavy_ball_norm": Call(
        nt.invariants.heavy_ball_norm,
        {"norm": 1.0, "inner": 0.5, "displacement": 0.1, "momentum": 0.9},
    ),
    "invariants.norm_budget": Call(
        nt.invariants.norm_budget, {"learning_rate": 0.1, "loss_fall": 1.0}
    ),
    "invariants.rescaled_settings": Call(
        nt.invariants.rescaled_settings,
        {"factor": 2.0, "optimizer": "sgd", **RATE, "epsilon": 0.0, "gradscale": 0.0},
    ),
    "invariants.torque": Call(nt.invariants.torque, {"points": Z, "velocities": Y}),
    "sphere.log_uniform_norms": Call(
        nt.sphere.log_uniform_norms, {"rng": RNG, "n": 3, "low": 0.1, "high": 1.0}
    ),
    "sphere.mean_direction": Call(nt.sphere.mean_direction, {"points": Z}),
    "sphere.pairs_at_angle": Call(
        nt.sphere.pairs_at_angle, {"rng": RNG, "angle": np.ones(3), "dimension": 4}
    ),
    "sphere.uniform": Call(nt.sphere.uniform, {"rng": RNG, "n": 3, "dimension": 4}),
    "sphere.von_mises_fisher": Call(
        nt.sphere.von_mises_fisher,
        {"rng": RNG, "n": 3, "mean": np.ones(4), "concentration": 2.0},
    ),
    "stability.best_rate": Call(
        nt.stability.best_rate,
        {"angle": 1.0, "norm": 1.0, "gradscale": 0.0, "stop_gradient": False},
    ),
    "stability.contraction": Call(nt.stability.contraction, {**CLOSE, "learning_rate": 0.1}),
    "stability.fastest_rate": Call(nt.stability.fastest_rate, CLOSE),
    "stability.largest_rate": Call(nt.stability.largest_rate, CLOSE),
    "stability.oscillation_angle": Call(nt.stability.oscillation_angle, {"learning_rate": 2.0}),
    "stability.settled_rate": Call(nt.stability.settled_rate, {"effective_rate": 1.04}),
    "symmetric.alignment_floor": Call(nt.symmetric.alignment_floor, {"alignment": 0.9, "n": 4}),
    "symmetric.cloud_angle": Call(nt.symmetric.cloud_angle, {"cosine": 0.5, "n": 4}),
    "symmetric.equiangular_step": Call(
        _equiangular_step,
        {"cosine": 0.5, "norm": 1.0, "slope": 0.1, **RATE, "n": 4, "gradscale": 0.0},
    ),
    "symmetric.gap_exponent": Call(
        nt.symmetric.gap_exponent,
        {"norm": 1.0, "n": 4, "learning_rate": 0.1, "scale_rate": 0.1, "gradscale": 0.0},
    ),
    "symmetric.gap_ratio": Call(
        nt.symmetric.gap_ratio, {"scale": 2.0, "start": 1.0, "exponent": 1.0, "learned": "log"}
    ),
    "symmetric.gap_step": Call(
        _gap_step,
        {
            "common": 0.5,
            "gap": 0.5,
            "norm": 1.0,
            "log_scale": 0.0,
            **RATE,
            "scale_rate": 0.1,
            "n": 4,
            "gradscale": 0.0,
        },
    ),
    "symmetric.loss_floor": Call(
        nt.symmetric.loss_floor, {"alignment": 0.9, "n": 4, "steepness": 2.0, "loss": "clip"}
    ),
    "symmetric.simplex_steps": Call(
        nt.symmetric.simplex_steps,
        {
            "loss": "uniformity",
            "start": 0.5,
            "end": 0.2,
            "n": 4,
            "norm": 1.0,
            "learning_rate": 0.1,
            "steepness": 2.0,
        },
    ),
    "symmetric.slope": Call(
        nt.symmetric.slope, {"loss": "uniformity", "cosine": 0.5, "n": 4, "steepness": 2.0}
    ),
    "temperature.best_scale": Call(
        nt.temperature.best_scale, {"margin": 1.0, "wrong": 0.1, "n": 4}
    ),
    "temperature.info_nce_bound": Call(
        nt.temperature.info_nce_bound,
        {"probability": 0.9, "norm": 2.0, "n": 4, "temperature": 0.1},
    ),
    "temperature.info_nce_limit": Call(nt.temperature.info_nce_limit, {"points": Z, "partners": Y}),
    "temperature.noisy_loss_floor": Call(nt.temperature.noisy_loss_floor, {"wrong": 0.1, "n": 4}),
    "temperature.siglip_bias": Call(
        nt.temperature.siglip_bias, {"steepness": 2.0, "cosine": 0.5, "n": 4}
    ),
    "temperature.wrong_partner_margin": Call(
        nt.temperature.wrong_partner_margin, {"wrong": 0.1, "n": 4}
    ),
    "testing.norms": Call(nt.testing.norms, {"low": 0.1, "high": 1.0}),
    "testing.pairs": Call(nt.testing.pairs, {"dimension": 3, "angle": 1.0}),
    "testing.point_clouds": Call(
        nt.testing.point_clouds,
        {
            "n": 3,
            "dimension": 3,
            "norm_spread": 2.0,
            "classes": 1,
            "concentration": 2.0,
            "positives": 0.1,
        },
    ),
    "verify.verify": Call(_verify, {"seed": 0, "progress": False, "points": 4}),
    "losses.gradient_norms": Call(
        _of_squares(nt.losses.gradient_norms),
        {"cloud": Z, "norms": np.array([1.0, 2.0]), "row": 1, "position": 0},
    ),
    "losses.norm_exponent": Call(
        _of_squares(nt.losses.norm_exponent),
        {"cloud": Z, "norms": np.array([1.0, 2.0]), "row": 1, "position": 0},
    ),
    "particles.System": Call(
        System,
        {
            "force": FORCE,
            **RATE,
            "gradscale": 0.0,
            "norm": np.ones(6),
            "coupled_decay": False,
            "frozen": (1,),
            "fresh": (),
            "coherent": False,
        },
    ),
    "particles.System.with_numbers": Call(
        System(FORCE, 1.0, optimizer=optimizers.momentum(0.5)).with_numbers,
        {"learning_rate": 0.1, "decay": 0.9},
    ),
    "particles.init": Call(
        lambda z, y, seed: particles.init(System(FORCE, 1.0), z, y, seed=seed),
        {"z": Z, "y": Y, "seed": 0},
    ),
    "particles.run": Call(_run, {"record_every": 1, "chunk_steps": 1, "progress": False}),
    "particles.sweep": Call(
        _sweep,
        {
            "norm": np.array([1.0]),
            "seeds": np.array([0]),
            "record_every": 1,
            "memory": 1,
            "progress": False,
            "seed": 0,
        },
    ),
    "particles.forces.function": Call(
        lambda **options: forces.function(lambda z, weights: z.sum(), **options),
        {"weights": np.ones(6)},
    ),
    "particles.forces.loss": Call(
        lambda **options: forces.loss("supcon", **options),
        {"labels": LABELS, "temperature": 0.1, "block": 2},
    ),
    "particles.forces.mixture": Call(
        lambda weight: forces.mixture((weight, FORCE)), {"weight": 0.5}
    ),
    "particles.observables.class_norm": Call(
        observables.class_norm, {"labels": LABELS, "classes": 3}
    ),
    "particles.observables.frequency_norm": Call(
        observables.frequency_norm, {"frequencies": np.full(6, 0.5)}
    ),
    "particles.observables.rotation": Call(observables.rotation, {"steps": 2}),
    "particles.observables.observable": Call(
        lambda **arrays: observables.observable("mine", lambda view, **arrays: view.loss, **arrays),
        {"weights": np.ones(6)},
    ),
    "particles.optimizers.adam": Call(optimizers.adam, {"b1": 0.9, "b2": 0.99, "eps": 1e-8}),
    "particles.optimizers.lion": Call(optimizers.lion, {"b1": 0.9, "b2": 0.99}),
    "particles.optimizers.momentum": Call(optimizers.momentum, {"decay": 0.9, "nesterov": False}),
    "particles.optimizers.muon": Call(
        optimizers.muon, {"beta": 0.9, "eps": 1e-8, "nesterov": True, "polar": False}
    ),
    "particles.optimizers.rowwise_adagrad": Call(
        optimizers.rowwise_adagrad, {"start": 0.1, "eps": 1e-8}
    ),
    "particles.sampling.bernoulli": Call(sampling.bernoulli, {"probability": np.full(6, 0.5)}),
    "particles.sampling.minibatch": Call(
        sampling.minibatch, {"size": 2, "frequencies": np.ones(6), "replace": True, "lazy": True}
    ),
    "particles.trained.option": Call(
        lambda **numbers: trained.option(learned="log", **numbers),
        {"learning_rate": 0.1, "least": 0.01, "most": 2.0},
    ),
    "particles.stop.gradient": Call(stop.gradient, {"tolerance": 0.1}),
    "particles.stop.loss": Call(stop.loss, {"target": 0.0, "tolerance": 0.1}),
    "particles.stop.mean_cosine": Call(stop.mean_cosine, {"tolerance": 0.1, "clouds": (0, 1)}),
}
"""By the name that users know, below ``normtheory``."""


def _loss(name: str) -> Call:
    loss = LOSSES[name]
    clouds, options = loss.example(np.random.default_rng(0), 6, 4)
    named = {cloud.name: z for cloud, z in zip(loss.clouds, clouds, strict=True)}
    flags = {option.name: False for option in loss.options if option.kind == "flag"}
    return Call(loss, {**named, **options, **flags})


CALLS |= {f"losses.{name}": _loss(name) for name in LOSSES}
