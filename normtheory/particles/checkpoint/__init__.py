"""Checkpoints: a run that is killed at any moment goes on as if it had not been.

One process writes one file, ``step-0000000040.npz``; several processes write one folder,
``step-0000000040``, by orbax-checkpoint (extra ``large``); of a sweep each writes files of its own
runs, in ``process-0`` and so on. Either is written under a temporary
name, synced, and renamed, with its SHA-256 beside it (``sha256sum -c`` reads it). The newest
checkpoint whose sums are right is the one that counts: what a flipped byte, a cut file or a full
disk has spoilt is passed over, with a warning, for the one before.

The state of a run holds all it depends on, so that the resumed run has the same bits as one that
was never stopped: on the same machine, with the same versions.
"""

from __future__ import annotations

from normtheory.particles.checkpoint._arrays import Arrays
from normtheory.particles.checkpoint._checkpoint import Checkpoint, latest, load, prepare, run, save
from normtheory.particles.checkpoint._fit import CheckpointError, CheckpointWarning
from normtheory.particles.checkpoint._settings import describe

__all__ = [
    "Arrays",
    "Checkpoint",
    "CheckpointError",
    "CheckpointWarning",
    "describe",
    "latest",
    "load",
    "prepare",
    "run",
    "save",
]
