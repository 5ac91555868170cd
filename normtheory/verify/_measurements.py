"""The vocabulary of measurements."""

from __future__ import annotations

from normtheory.verify import (
    _contrast,
    _draws,
    _every_loss,
    _flows,
    _gradients,
    _heavy_ball,
    _networks,
    _pair_runs,
    _runs,
    _scaling,
    _steps,
)
from normtheory.verify._clouds import DIMENSIONS
from normtheory.verify._sample import Measurement

#: What a check may ask for, by name. Dimensions are listed where a measurement is a long run.
MEASUREMENTS: dict[str, Measurement] = {
    "direction_loss": Measurement(_gradients.direction_loss, DIMENSIONS),
    "two_directions": Measurement(_gradients.two_directions, DIMENSIONS),
    "cosine_pair": Measurement(_gradients.cosine_pair, DIMENSIONS),
    "flow_velocity": Measurement(_gradients.flow_velocity, DIMENSIONS),
    "fixed_keys": Measurement(_gradients.fixed_keys, DIMENSIONS),
    "contrastive": Measurement(_contrast.contrastive, (2, 3, 128)),
    "every_loss": Measurement(_every_loss.every_loss, (16,)),
    "pair_step": Measurement(_steps.pair_step, DIMENSIONS),
    "pair_grid": Measurement(_steps.pair_grid, (3, 128)),
    "best_rate": Measurement(_steps.best_rate, (3, 128)),
    "sgd_step": Measurement(_steps.sgd_step, DIMENSIONS),
    "momentum_step": Measurement(_steps.momentum_step, (2, 16, 128, 1024)),
    "optimizer_growth": Measurement(_steps.optimizer_growth, (3,)),
    "fresh_directions": Measurement(_runs.fresh_directions, (3, 8)),
    "steady_decay": Measurement(_runs.steady_decay, (3, 128)),
    "random_decay": Measurement(_runs.random_decay, (128,)),
    "decay_of_a_fixed_pair": Measurement(_runs.decay_of_a_fixed_pair, (3,)),
    "self_taming": Measurement(_runs.self_taming, (3,)),
    "large_rates": Measurement(_runs.large_rates, (3,)),
    "runaway": Measurement(_runs.runaway, (2, 16)),
    "flow_run": Measurement(_flows.flow_run, (2, 16, 128)),
    "step_count": Measurement(_flows.step_count, (3, 16)),
    "ensemble_count": Measurement(_flows.ensemble_count, (20,)),
    "rescaled_run": Measurement(_scaling.rescaled_run, (2, 16)),
    "budget_run": Measurement(_scaling.budget_run, (2, 16)),
    "heavy_ball_pair": Measurement(_heavy_ball.heavy_ball_pair, (2, 16, 128)),
    "heavy_ball_spectrum": Measurement(_heavy_ball.heavy_ball_spectrum, (2, 16)),
    "heavy_ball_decay": Measurement(_heavy_ball.heavy_ball_decay, (16,)),
    "pair_run": Measurement(_pair_runs.pair_run, (3, 16)),
    "batch_step": Measurement(_pair_runs.batch_step, (3,)),
    "pair_draws": Measurement(_draws.pair_draws, (5, 20)),
    "ensemble_draws": Measurement(_draws.ensemble_draws, (20,)),
    "axes": Measurement(_draws.axes, (3, 8)),
    "cut_network": Measurement(_networks.cut_network, (3, 16)),
}
