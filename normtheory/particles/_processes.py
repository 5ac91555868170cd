"""Processes that do one thing together: the part of each, and what they tell each other.

What is gathered are bytes: it comes as it was, in every dtype and whatever JAX does with 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import numpy as np

T = TypeVar("T")

_LONGEST = 1000  # bytes of an error that the others are told


@dataclass(frozen=True)
class Share:
    """The part of this process.

    Attributes:
        index: its place among those that work together.
        count: how many these are; 1 for a process that works alone and waits for nobody.
    """

    index: int
    count: int

    @classmethod
    def of(cls, devices: Iterable[Any]) -> Share:
        """The part of this process in what the processes of some devices do.

        Raises:
            ValueError: these are neither this process alone nor all there are.
        """
        owners = sorted({device.process_index for device in devices})
        here, all_of_them = jax.process_index(), list(range(jax.process_count()))
        if owners == [here]:
            return ALONE
        if owners != all_of_them:
            raise ValueError(
                f"devices: expected those of process {here} alone or of all {len(all_of_them)} "
                f"processes, got those of {', '.join(map(str, owners))}"
            )
        return cls(here, len(owners))

    def items(self, whole: Sequence[T]) -> list[T]:
        """Every ``count``-th item; all have equally many, the last one several times if need be."""
        last = len(whole) - 1
        return [whole[min(k + self.index, last)] for k in range(0, len(whole), self.count)]

    def whole(self, parts: Mapping[str, np.ndarray], total: int) -> dict[str, np.ndarray]:
        """Arrays with one row for every item, of those that all processes have for theirs."""
        if self.count == 1:
            return dict(parts)
        return {
            name: self.gathered(x).swapaxes(0, 1).reshape(-1, *x.shape[1:])[:total]
            for name, x in sorted(parts.items())
        }

    def gathered(self, x: np.ndarray) -> np.ndarray:
        """The arrays of all processes, of one shape and dtype, one after the other."""
        if self.count == 1:
            return x[None]
        from jax.experimental import multihost_utils

        found = multihost_utils.process_allgather(np.frombuffer(x.tobytes(), np.uint8))
        return np.frombuffer(np.asarray(found).tobytes(), x.dtype).reshape(-1, *x.shape)

    def check_same(self, digest: int, name: str, advice: str) -> None:
        """Raise ValueError unless all processes come with one digest (32 bits) of what is named."""
        found = self.gathered(np.asarray(digest, np.uint32))
        if (found != found[0]).any():
            process = int(np.argmax(found != found[0]))
            raise ValueError(
                f"{name}: expected the same one in all processes, but process {process} comes with "
                f"another than process 0: {advice}"
            )

    def together(self, action: Callable[[], T], *kinds: type[Exception]) -> T:
        """Act, and wait for the others: an error in one is an error in all.

        Args:
            action: of this process.
            kinds: errors that the others raise too, with what was said; RuntimeError otherwise.
        """
        if self.count == 1:
            return action()
        found: Any = None
        failure, code, said = None, 0, b""
        try:
            found = action()
        except Exception as error:  # noqa: BLE001 - told below, once the others know
            failure, said = error, str(error).encode()[:_LONGEST]
            code = 1 + next((k for k, x in enumerate(kinds) if isinstance(error, x)), len(kinds))
        told = self.gathered(np.frombuffer(bytes([code]) + said.ljust(_LONGEST, b"\0"), np.uint8))
        if failure is not None:
            raise failure
        for process, (code, *letters) in enumerate(told.tolist()):
            if code:
                text = bytes(letters).rstrip(b"\0").decode(errors="ignore")
                raise (*kinds, RuntimeError)[code - 1](f"process {process}: {text}")
        return found


ALONE = Share(0, 1)
"""A process that works for itself."""
