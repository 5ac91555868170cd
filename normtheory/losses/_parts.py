"""What a loss is a function of: clouds of embeddings, and options."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from normtheory._arrays import check_flag

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "required"})()
"""The default of an option that has none."""


@dataclass(frozen=True)
class Cloud:
    """A cloud of embeddings, an argument of a loss.

    Attributes:
        name: of the argument, which messages use.
        about: what its rows are.
        trained: whether the loss has a gradient with respect to it; a constant otherwise.
        rows: a word for the number of its rows. Clouds with the same word pair row by row.
        least: the fewest rows that make sense.
        size: how many rows it has in an example whose first cloud has n.
        role: what a network gives it: embeddings, predictions of those of the other view,
            negatives (the embeddings of other items), a queue of older embeddings, or prototypes
            (class weights among them). A constant comes from the target network.
        view: of which view of an item, 1 or 2; 0 goes by its place among clouds of its role, and
            one that is alone gets both views.
    """

    name: str
    about: str = "embeddings"
    trained: bool = True
    rows: str = "n"
    least: int = 1
    size: Callable[[int], int] = lambda n: n
    role: Literal["embeddings", "predictions", "negatives", "queue", "prototypes"] = "embeddings"
    view: int = 0

    def __post_init__(self) -> None:
        """Raise TypeError for a word as a truth value."""
        check_flag("trained", self.trained)


@dataclass(frozen=True)
class Option:
    """An option of a loss.

    Attributes:
        name: of the argument.
        default: REQUIRED if there is none.
        about: what it is, with its letter.
        kind: a real "number" (or an array of them), "labels" (integers), or a "flag" (true or
            false).
        trained: whether the loss has a derivative with respect to it; a constant otherwise.
        above, least, most: its range.
        shape: words for the numbers of rows, as in :class:`Cloud`; () for a number. A number may
            always stand for an array of reals, unless it is ``per_row``.
        below: labels are 0 … k - 1, k the number of rows of clouds with this word.
        per_row: whether it has an entry for every row of the first cloud, and so follows a
            minibatch.
        steepness: by how much it multiplies a change of a cosine, from its value.
        codes: whether it says how embeddings of the other view are spread over prototypes.
        example: a value to try, or ``example(rng, sizes)`` with the numbers of rows by word; None
            to leave it at its default.
    """

    name: str
    default: Any
    about: str
    kind: Literal["number", "labels", "flag"] = "number"
    trained: bool = False
    above: float = -math.inf
    least: float = -math.inf
    most: float = math.inf
    shape: tuple[str, ...] = ()
    below: str | None = None
    per_row: bool = False
    steepness: Callable[[float], float] | None = None
    codes: bool = False
    example: Any = None

    def __post_init__(self) -> None:
        """Raise TypeError for a word as a truth value."""
        for name in ("trained", "per_row", "codes"):
            check_flag(name, getattr(self, name))


def temperature(default: float, about: str = "τ", **changes: Any) -> Option:
    """A temperature τ > 0: trained, unless said otherwise, and as steep as 1/τ."""
    given: dict[str, Any] = {
        "name": "temperature",
        "default": default,
        "about": about,
        "trained": True,
        "above": 0.0,
        "steepness": lambda x: 1 / x,
        "example": 0.2,
    }
    return Option(**(given | changes))


def labels(classes: int, **changes: Any) -> Option:
    """Integer labels, one for every row of the first cloud; in the example of so many classes."""

    def example(rng: Any, sizes: dict[str, int]) -> Any:
        return rng.permutation([i % classes for i in range(sizes["n"])])

    given: dict[str, Any] = {
        "name": "labels",
        "default": REQUIRED,
        "about": "integers",
        "kind": "labels",
        "shape": ("n",),
        "per_row": True,
        "example": example,
    }
    return Option(**(given | changes))
