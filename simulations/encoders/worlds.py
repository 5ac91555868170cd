"""Settings that the experiments on latent classes share, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass

from simulations.encoders.data import LatentClasses
from simulations.encoders.objectives import Objective
from simulations.encoders.training import Recipe


@dataclass(frozen=True)
class LatentSettings:
    """Settings of an experiment that trains encoders on latent classes by NT-Xent.

    Attributes:
        points: to train on, and as many held out.
        latent_dimension: of the space of the class centres.
        data_dimension: of what the encoder sees.
        noise: standard deviation per latent coordinate, around centres of norm 1.
        hidden: width of the hidden layers.
        dimension: of the embedding.
        batch: points in a batch, two for every pair.
        temperature: of NT-Xent.
        runs: independent worlds and networks.
        seed: of everything.
    """

    points: int = 1000
    latent_dimension: int = 10
    data_dimension: int = 64
    noise: float = 0.25
    hidden: int = 64
    dimension: int = 10
    batch: int = 128
    temperature: float = 0.5
    runs: int = 5
    seed: int = 0

    def recipe(self, gradscale: float = 0.0) -> Recipe:
        """How a step is made, with that power of GradScale."""
        return Recipe(Objective("nt_xent", (("temperature", self.temperature),), gradscale))

    def worlds(self, frequencies: tuple[float, ...]) -> LatentClasses:
        """Classes of given relative frequencies."""
        return LatentClasses(
            frequencies, self.points, self.latent_dimension, self.data_dimension, self.noise
        )
