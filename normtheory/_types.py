"""Annotations of arrays of any of the three libraries, by what they hold.

For readers and annotations: nothing is checked at run time, so that our own messages about wrong
input stay the ones that are seen.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Bool, Float, Int, UInt32

Array = Any
"""A numpy, JAX or PyTorch array; also a Python number where a function says so."""

Embeddings = Float[Array, "n d"]
"""Embeddings, one a row."""

OtherEmbeddings = Float[Array, "m d"]
"""As many as there are of something else: a queue, prototypes, class weights."""

Clouds = tuple[Float[Array, "_ d"], ...]
"""Clouds of one dimension, each with rows of its own number."""

PerRow = Float[Array, " n"]
"""One number for each row of a cloud."""

PerRows = tuple[Float[Array, " _"], ...]
"""The same of several clouds."""

Labels = Int[Array, " n"]
"""The class of each row."""

Scalar = Float[Array, ""]
"""One number, such as a loss."""

Flag = Bool[Array, ""]
"""One yes or no, such as whether a run is over."""

Count = Int[Array, ""]
"""One whole number, such as that of a step."""

Key = UInt32[Array, "2"]
"""The two words of a threefry key."""
