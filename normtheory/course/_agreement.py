"""Whether an answer agrees with another, and in a sentence why the two can't be compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from normtheory import _read

_FLOOR = 1e-7
"""Of the largest entry: smaller entries are judged as if they had this size; one may be 0."""


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


def distance(answer: Any, other: Any) -> float:
    """How far a comparable answer is from another: the largest error, relative to its entry."""
    if isinstance(other, str):
        return 0.0 if answer.strip().casefold() == other.strip().casefold() else np.inf
    if isinstance(other, bool | np.bool_):
        return 0.0 if bool(answer) == bool(other) else np.inf
    found, wanted = np.asarray(answer, dtype=float), np.asarray(other, dtype=float)
    if found.size != wanted.size:
        return np.inf
    found, wanted = found.ravel(), wanted.ravel()
    off = found != wanted
    if not (np.isfinite(found[off]).all() and np.isfinite(wanted[off]).all()):
        return np.inf
    size = np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0) or 1.0
    scale = np.maximum(np.abs(wanted[off]), _FLOOR * size)
    return float((np.abs(found[off] - wanted[off]) / scale).max(initial=0.0))


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
