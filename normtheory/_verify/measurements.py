"""The vocabulary of measurements."""

from __future__ import annotations

from normtheory._verify import (
    contrast,
    every_loss,
    flows,
    gradients,
    heavy_ball,
    networks,
    runs,
    scaling,
    steps,
)
from normtheory._verify.clouds import DIMENSIONS
from normtheory._verify.sample import Measurement

#: What a check may ask for, by name. Dimensions are listed where a measurement is a long run.
MEASUREMENTS: dict[str, Measurement] = {
    "direction_loss": Measurement(gradients.direction_loss, DIMENSIONS),
    "two_directions": Measurement(gradients.two_directions, DIMENSIONS),
    "cosine_pair": Measurement(gradients.cosine_pair, DIMENSIONS),
    "flow_velocity": Measurement(gradients.flow_velocity, DIMENSIONS),
    "fixed_keys": Measurement(gradients.fixed_keys, DIMENSIONS),
    "contrastive": Measurement(contrast.contrastive, (2, 3, 128)),
    "every_loss": Measurement(every_loss.every_loss, (16,)),
    "pair_step": Measurement(steps.pair_step, DIMENSIONS),
    "pair_grid": Measurement(steps.pair_grid, (3, 128)),
    "best_rate": Measurement(steps.best_rate, (3, 128)),
    "sgd_step": Measurement(steps.sgd_step, DIMENSIONS),
    "momentum_step": Measurement(steps.momentum_step, (2, 16, 128, 1024)),
    "optimizer_growth": Measurement(steps.optimizer_growth, (3,)),
    "fresh_directions": Measurement(runs.fresh_directions, (3, 8)),
    "steady_decay": Measurement(runs.steady_decay, (3, 128)),
    "random_decay": Measurement(runs.random_decay, (128,)),
    "decay_of_a_fixed_pair": Measurement(runs.decay_of_a_fixed_pair, (3,)),
    "self_taming": Measurement(runs.self_taming, (3,)),
    "large_rates": Measurement(runs.large_rates, (3,)),
    "runaway": Measurement(runs.runaway, (2, 16)),
    "flow_run": Measurement(flows.flow_run, (2, 16, 128)),
    "step_count": Measurement(flows.step_count, (3, 16)),
    "ensemble_count": Measurement(flows.ensemble_count, (20,)),
    "rescaled_run": Measurement(scaling.rescaled_run, (2, 16)),
    "budget_run": Measurement(scaling.budget_run, (2, 16)),
    "heavy_ball_pair": Measurement(heavy_ball.heavy_ball_pair, (2, 16, 128)),
    "heavy_ball_decay": Measurement(heavy_ball.heavy_ball_decay, (16,)),
    "cut_network": Measurement(networks.cut_network, (3, 16)),
}
