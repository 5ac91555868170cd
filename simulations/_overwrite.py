"""Results never take the place of what they are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from normtheory._files import identity


def keep_inputs(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse to write over what is read, under whatever name, or two results to one file.

    Args:
        outputs: files that will be written.
        inputs: files that are read.

    Raises:
        ValueError: naming the two.
    """
    read = {identity(path): path for path in inputs if path.exists()}
    written: dict[object, Path] = {}
    for path in outputs:
        key = identity(path)
        if key in read:
            raise ValueError(f"{path}: expected another file than the input {read[key]}")
        if key in written:
            raise ValueError(f"{path}: expected another file than the other output {written[key]}")
        written[key] = path
