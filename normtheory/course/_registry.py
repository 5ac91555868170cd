"""All exercises by name: every module of ``lessons`` that isn't private holds those of a lesson."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Any

from normtheory._names import unknown
from normtheory.course import lessons as _package
from normtheory.course._exercise import Exercise, Feedback


@functools.cache
def exercises(lesson: str) -> dict[str, Exercise]:
    """The exercises of a lesson by name, in their order."""
    module = importlib.import_module(f"{_package.__name__}.{lesson}")
    return {exercise.name: exercise for exercise in module.EXERCISES}


def lessons() -> tuple[str, ...]:
    """Names of all lessons, in the order of the course."""
    found = {m.name for m in pkgutil.iter_modules(_package.__path__) if not m.name.startswith("_")}
    # One that has no place yet comes last, so that it is found all the same.
    return (*(name for name in _package.ORDER if name in found), *sorted(found - {*_package.ORDER}))


def get(name: str) -> Exercise:
    """An exercise, which displays its question.

    Args:
        name: its lesson and its own name, such as ``"one_pair.steps"``.

    Raises:
        ValueError: no exercise has this name; the message lists close matches or all names.
    """
    lesson, _, own = str(name).partition(".")
    found = exercises(lesson).get(own) if lesson in lessons() else None
    if found is None:
        known = [f"{place}.{own}" for place in lessons() for own in exercises(place)]
        raise ValueError(unknown("exercise", name, known))
    return found


def check(name: str, answer: Any) -> Feedback:
    """Judge an answer to an exercise.

    Args:
        name: its lesson and its own name, such as ``"one_pair.steps"``.
        answer: a number, an array, a truth value, a word or a function, as the question asks.

    Returns:
        What to say, which displays itself, and whether the answer is right. Whatever the answer
        is, it gets a sentence; nothing is raised for it.

    Raises:
        ValueError: no exercise has this name; the message lists close matches or all names.
    """
    return get(name).feedback(answer)
