"""Annotations of arrays of any of the three libraries, by what they hold."""

from __future__ import annotations

from typing import Any

from jaxtyping import Bool, Float, Int, UInt32

Array = Any
"""A numpy, JAX or PyTorch array; also a Python number where a function says so."""

Cloud = Float[Array, "n d"]
"""Embeddings, one a row."""

OtherCloud = Float[Array, "m d"]
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

Flag = Bool[Array, ""]

Count = Int[Array, ""]

Key = UInt32[Array, "2"]
"""The two words of a threefry key."""
