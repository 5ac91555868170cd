"""Whether an answer agrees with another, and in a sentence why the two can't be compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from normtheory import _read

_FLOOR = 1e-9
"""Of the largest entry: where a right entry is 0, this much is rounding."""


def obstacle(answer: Any, right: Any) -> str | None:
    """What keeps an answer from being compared with the right one, as a sentence; or None."""
    if answer is ... or answer is None:
        return "Nothing to judge yet: put your answer where the dots are."
    if callable(answer):
        return f"This is a function; the answer is {_kind(right)}. Did you forget to call it?"
    if isinstance(right, str):
        return None if isinstance(answer, str) else f"The answer is {_kind(right)}."
    if isinstance(right, bool | np.bool_):
        plain = isinstance(answer, bool | np.bool_)
        return None if plain else f"The answer is {_kind(right)}."
    try:
        found = _read.real_numbers("your answer", answer)
    except (TypeError, ValueError) as error:
        return f"The answer is {_kind(right)} ({error})."
    wanted = np.shape(right)
    if found.shape != wanted and not (wanted == () and found.size == 1):
        came = "one number" if found.shape == () else f"an array of shape {found.shape}"
        return f"The answer is {_kind(right)}; this is {came}."
    if np.isnan(found).any():
        return "Your answer has nan in it: look for 0/0, or for an arccos of more than 1."
    return None


def agree(answer: Any, other: Any, relative: float) -> bool:
    """Whether two comparable answers are the same to within a relative error."""
    if isinstance(other, str):
        return answer.strip().casefold() == other.strip().casefold()
    if isinstance(other, bool | np.bool_):
        return bool(answer) == bool(other)
    found, wanted = np.asarray(answer, dtype=float), np.asarray(other, dtype=float)
    if found.size != wanted.size:
        return False
    found = found.reshape(wanted.shape)
    size = np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0) or 1.0
    return bool(np.allclose(found, wanted, rtol=relative, atol=_FLOOR * size))


def direction(answer: Any, right: Any) -> str:
    """What may be said of a wrong number without giving the right one away."""
    if isinstance(right, str | bool | np.bool_) or np.ndim(right):
        return "Not yet."
    found = float(np.asarray(answer, dtype=float).reshape(()))
    return "Not yet: too large." if found > float(right) else "Not yet: too small."


def _kind(right: Any) -> str:
    if isinstance(right, str):
        return "a word, as text in quotes"
    if isinstance(right, bool | np.bool_):
        return "True or False"
    return "one number" if np.ndim(right) == 0 else f"an array of shape {np.shape(right)}"
