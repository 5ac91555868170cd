"""Names of the numbers of a system: the paths that they have in a configuration."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax

_WITHOUT_NAME = ("options", "numbers", "forces")


def _words(path: tuple[Any, ...]) -> list[str]:
    """A path as words: ``force.1.weight`` for ``force.weights[1]``."""
    words = [str(getattr(k, "name", getattr(k, "key", getattr(k, "idx", None)))) for k in path]
    words = [word for word in words if word not in _WITHOUT_NAME]
    if len(words) > 1 and words[-2] == "weights":
        words[-2:] = [words[-1], "weight"]
    return words


class Names:
    """What the leaves of a system are called.

    Each has its path, ``learning_rate``, ``optimizer.decay``, ``force.1.temperature``, and is known
    by the last word of it too where no other has that.
    """

    def __init__(self, system: Any) -> None:
        paths, _ = jax.tree_util.tree_flatten_with_path(system)
        words = [_words(path) for path, _ in paths]
        last = Counter(one[-1] for one in words)
        self._whole = {".".join(one): k for k, one in enumerate(words)}
        short = {
            one[-1]: k
            for k, one in enumerate(words)
            if last[one[-1]] == 1 and not one[-1].isdecimal()
        }
        self.places = {**short, **self._whole}
        shown = {k: name for name, k in (*self._whole.items(), *short.items())}
        self._shown = ", ".join(shown[k] for k in range(len(words)))

    def path(self, place: int) -> str:
        """The path of a leaf."""
        return next(path for path, k in self._whole.items() if k == place)

    def place(self, name: str) -> int:
        """Which leaf has a name.

        Raises:
            ValueError: none, or several; what there is, is said.
        """
        if name in self.places:
            return self.places[name]
        several = [path for path in self._whole if path.rpartition(".")[2] == name]
        if several:
            raise ValueError(f"{name}: this system has several: {', '.join(several)}")
        raise ValueError(f"{name}: this system has no such number; it has {self._shown}")
