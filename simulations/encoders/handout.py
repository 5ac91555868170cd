"""What an experiment on images hands out: a file of embeddings, and its encoders beside it.

``FILE.npz`` holds, under names that say what they are, plain arrays that ``normtheory diagnose``
and numpy read: ``METHOD.RUN.PART.backbone`` (n, f), ``METHOD.RUN.PART.projector`` (n, d) and
``METHOD.RUN.PART.norm`` (n,) of the projector; ``RUN.PART.labels``, ``RUN.PART.index`` (the number
of the image in the data) and, if there are any, ``RUN.PART.scores``. ``PART`` is ``train``,
``held_out``, or ``embed1``, ``embed2``, … for further images. ``classes`` has the names of the
labels, ``about`` the settings as JSON. ``FILE.METHOD.npz`` has the encoders of a method.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from normtheory._files import whole_file
from simulations.encoders.reading import images_alone
from simulations.encoders.saved import SavedEncoder


@dataclass(frozen=True)
class Parts:
    """The images of an experiment, and which of them every run trained on and held out.

    Attributes:
        images: bytes (n, h, w, channels).
        labels: integers (n,).
        index: numbers of the images in the data (n,).
        classes: names of the labels.
        which: ``train`` and ``held_out``: places of the images of a run, shape (runs, m).
        scores: a number an image (n,), or None.
    """

    images: np.ndarray
    labels: np.ndarray
    index: np.ndarray
    classes: tuple[str, ...]
    which: dict[str, np.ndarray]
    scores: np.ndarray | None = None


@dataclass(frozen=True)
class HandOut:
    """Where to, and of what besides the images of the experiment.

    Attributes:
        save: the file of embeddings, which ends in .npz.
        embed: files and folders of further images.
    """

    save: Path
    embed: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Refuse other endings, before a long run."""
        if self.save.suffix != ".npz":
            raise ValueError(f"{self.save}: expected a name that ends in .npz")

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Add ``--save`` and ``--embed`` to those of a command."""
        group = parser.add_argument_group("what is handed out")
        group.add_argument(
            "--save",
            type=Path,
            metavar="FILE.npz",
            help="write what backbone and projector make of the images trained on and held out, "
            "with norms, labels and scores, and the encoders beside it (FILE.SimCLR.npz, which "
            "simulations.encoders.saved.load reads); trains even if the result is kept",
        )
        group.add_argument(
            "--embed",
            type=Path,
            action="append",
            default=[],
            metavar="FOLDER|FILE",
            help="further images for --save: png or jpg files in a folder, an .npz file with "
            "images, or an .npy file; may be given several times",
        )

    @classmethod
    def of(cls, options: dict[str, Any]) -> HandOut | None:
        """What the options of a command ask for; None for nothing.

        Raises:
            ValueError: further images without a file to write to, or one of another ending.
        """
        if options["save"] is None:
            if options["embed"]:
                raise ValueError("--embed: expected --save FILE.npz as well, to write to")
            return None
        return cls(options["save"], tuple(options["embed"]))

    def encoder(self, method: str) -> Path:
        """The file of the encoders of a method."""
        return self.save.with_name(f"{self.save.stem}.{method}.npz")

    def outputs(self, methods: Iterable[str]) -> list[Path]:
        """All files that are written."""
        return [self.save, *(self.encoder(method) for method in methods)]

    def inputs(self) -> list[Path]:
        """All files that further images are read from."""
        return [file for path in self.embed for file in files_of(path)]

    def further(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """The further images, all of a shape (h, w, channels); and a folder to write to.

        Called before the work, not after it.

        Raises:
            OSError: there are none.
            ValueError: they can't be read or have another shape.
        """
        self.save.parent.mkdir(parents=True, exist_ok=True)
        return [images_alone(path, shape) for path in self.embed]

    def write(
        self,
        settings: Any,
        encoders: Sequence[SavedEncoder],
        parts: Parts,
        further: Sequence[np.ndarray],
    ) -> None:
        """Write embeddings and encoders, every file whole or not at all.

        Args:
            settings: of the experiment, a dataclass.
            encoders: of every method.
            parts: the images of the experiment, and who saw which.
            further: images from ``embed``.

        Raises:
            OSError: a file can't be written.
        """
        about = {
            "settings": dataclasses.asdict(settings),
            "embed": {f"embed{i + 1}": str(path) for i, path in enumerate(self.embed)},
        }
        arrays: dict[str, Any] = {"classes": np.array(parts.classes)}
        runs = range(len(parts.which["train"]))
        for part, which in parts.which.items():
            for r in runs:
                arrays[f"{r}.{part}.labels"] = parts.labels[which[r]]
                arrays[f"{r}.{part}.index"] = parts.index[which[r]]
                if parts.scores is not None:
                    arrays[f"{r}.{part}.scores"] = parts.scores[which[r]]
        for encoder in encoders:
            for kind, z in encoder.outputs(parts.images)._asdict().items():
                for part, which in parts.which.items():
                    for r in runs:
                        arrays[f"{encoder.method}.{r}.{part}.{kind}"] = z[r][which[r]]
            for i, images in enumerate(further):
                for kind, z in encoder.outputs(images)._asdict().items():
                    for r in runs:
                        arrays[f"{encoder.method}.{r}.embed{i + 1}.{kind}"] = z[r]
        embeddings = {k: z for k, z in arrays.items() if k.endswith(".projector")}
        for name, z in embeddings.items():
            norm = name.removesuffix("projector") + "norm"
            arrays[norm] = np.linalg.norm(z.astype(np.float64), axis=-1)
        for encoder in encoders:
            encoder.save(self.encoder(encoder.method), **about)
        with whole_file(self.save) as temporary, temporary.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **arrays)


def files_of(path: Path) -> list[Path]:
    """The file itself, or all files in a folder and below."""
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
