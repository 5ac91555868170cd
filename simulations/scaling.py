"""Scaling: time and memory of one step against the number of particles.

Two forces. ``pairs``: attraction of n pairs and a step of SGD, whose cost is of order n.
``info_nce``: value and gradient of InfoNCE, whose cost is of order n². Four ways: streamed over
blocks, over n × n matrices, PyTorch autograd, and JAX autograd of optax's losses. (optax has no
InfoNCE; its NT-Xent takes the same two clouds as 2n views.) Memory is the largest resident size of
a process, everything counted. Times and memory are measured, so no two runs agree exactly.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import xarray as xr

from simulations import _store
from simulations._settings import check_positive

MEASURED = ("seconds", "peak_memory")
"""Variables of the result that a second run doesn't reproduce."""

DTYPE = "float32"

WAYS = ("streamed", "dense", "torch", "optax")


@dataclass(frozen=True)
class Settings:
    """Settings of the experiment.

    Attributes:
        pairs: numbers of pairs.
        points: numbers of points of either cloud under InfoNCE.
        dense_points: the most points for n × n matrices and for PyTorch, which would run out of
            memory or patience.
        optax_points: the most points for optax, which needs memory of order n²d.
        rivals: the most pairs for all but the streamed way, which bounds their time likewise.
        dimension: of the embeddings.
        learning_rate: γ, the rate one pair sees.
        rounds: timed calls at every size; the least time counts.
        seed: of the embeddings.
    """

    pairs: tuple[int, ...] = (65_536, 131_072, 262_144, 524_288)
    points: tuple[int, ...] = (1024, 2048, 4096, 8192, 16_384)
    dense_points: int = 4096
    optax_points: int = 1024
    rivals: int = 262_144
    dimension: int = 64
    learning_rate: float = 0.02
    rounds: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive."""
        check_positive(self)


ALONE = True
"""It takes the time of its calls: nothing else should run beside it."""
SECONDS = 35  # of the full run, about, on two cores
#: Smaller sizes, whose exponents are rougher: a fixed cost of calls is not yet small beside theirs.
QUICK = Settings(
    pairs=(65_536, 131_072, 262_144),
    points=(512, 1024, 2048, 4096),
    dense_points=2048,
    optax_points=512,
    rivals=131_072,
)
QUICK_SECONDS = 13
SMOKE = Settings(
    pairs=(512, 1024),
    points=(64, 128),
    dense_points=1,
    optax_points=1,
    rivals=1,
    dimension=8,
    rounds=1,
)


def measure(
    force: str,
    way: str,
    sizes: tuple[int, ...],
    dimension: int,
    *,
    rounds: int,
    learning_rate: float = 0.02,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Time one way at some sizes in a process of its own.

    Args:
        force: "pairs", "info_nce" or "decoupled".
        way: one of ``WAYS``.
        sizes: numbers of particles.
        dimension: of the embeddings.
        rounds: timed calls at every size.
        learning_rate: γ of the pairs.
        seed: of the embeddings.

    Returns:
        For every size ``n``, ascending: ``seconds``, the least time of a call, and ``peak``, the
        largest resident size of the process in bytes by then.

    Raises:
        RuntimeError: the process failed (out of memory, a package that isn't there); what it said.
    """
    asked = {
        "force": force,
        "way": way,
        "sizes": sizes,
        "dimension": dimension,
        "rounds": rounds,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    command = [sys.executable, "-m", "simulations._ways", json.dumps(asked)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_store.ROOT)
    if answer.returncode:
        lines = answer.stderr.strip().splitlines()
        # JAX puts a note about tracebacks after the error.
        said = [x for x in lines if "Error: " in x] or lines or [f"status {answer.returncode}"]
        raise RuntimeError(f"{force}, {way}, n up to {max(sizes)}: {said[-1]}")
    return json.loads(answer.stdout)


def run(settings: Settings) -> xr.Dataset:
    """Measure all ways that are installed.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``run``, a run being a force, a way and a number of particles: coordinates
        ``force``, ``way`` and ``n``; ``seconds``, the least time of one step or one value and
        gradient; ``peak_memory``, the largest resident size of the process by then.
    """
    found = []
    for force, sizes in (("pairs", settings.pairs), ("info_nce", settings.points)):
        for way in WAYS:
            if way == "torch" and find_spec("torch") is None:
                continue
            tried = tuple(n for n in sizes if n <= _most(settings, force, way))
            if tried:
                rows = measure(
                    force,
                    way,
                    tried,
                    settings.dimension,
                    rounds=settings.rounds,
                    learning_rate=settings.learning_rate,
                    seed=settings.seed,
                )
                found += [(force, way, row["n"], row["seconds"], row["peak"]) for row in rows]
    force, way, n, seconds, peak = zip(*found, strict=True)
    one = {"units": "1"}
    return xr.Dataset(
        {
            "seconds": ("run", np.array(seconds), {"units": "s"}),
            "peak_memory": ("run", np.array(peak), {"units": "bytes"}),
        },
        coords={
            "force": ("run", list(force), one),
            "way": ("run", list(way), one),
            "n": ("run", np.array(n), {"units": "1", "long_name": "number of particles"}),
        },
    )


def _most(settings: Settings, force: str, way: str) -> float:
    """Most particles that a way is tried with."""
    if way == "streamed":
        return np.inf
    if force == "pairs":
        return settings.rivals
    return settings.optax_points if way == "optax" else settings.dense_points
