"""Readers of files, one family of formats a module: each lists what is in a file.

Nothing in a file is run: pickles are refused, and files of PyTorch are read as weights only.
"""

from __future__ import annotations

from normtheory.diagnosis._readers._entries import Ask, Found, Reader, UsageError, take
from normtheory.diagnosis._readers._hdf5 import hdf5
from normtheory.diagnosis._readers._numpy import npy, npz
from normtheory.diagnosis._readers._parquet import parquet
from normtheory.diagnosis._readers._safetensors import safetensors
from normtheory.diagnosis._readers._tables import table
from normtheory.diagnosis._readers._torch import pt
from normtheory.diagnosis._readers._vecs import vecs
from normtheory.diagnosis._readers._words import binary, text

__all__ = ["READERS", "Ask", "Found", "Reader", "UsageError", "take"]

READERS: dict[str, Reader] = {
    ".npy": npy,
    ".npz": npz,
    ".parquet": parquet,
    ".safetensors": safetensors,
    ".pt": pt,
    ".pth": pt,
    ".h5": hdf5,
    ".hdf5": hdf5,
    ".csv": table,
    ".tsv": table,
    ".txt": text,
    ".vec": text,
    ".bin": binary,
    ".fvecs": vecs,
    ".bvecs": vecs,
    ".npy.gz": npy,
    ".csv.gz": table,
    ".tsv.gz": table,
    ".txt.gz": text,
    ".vec.gz": text,
    ".bin.gz": binary,
}
"""Who reads what, by the ending of its name."""
