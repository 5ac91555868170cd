"""The exercises of the course in notebooks, and what judges an answer.

The lessons are pages of the documentation (``docs/course``); the exercises of each are one file in
``lessons``, found by its place.

Examples:
    >>> from normtheory import course
    >>> course.check("one_pair.pythagoras", 5)
    Right: old vector, step and new vector form a right triangle; the new one is its longest side.
    >>> course.check("one_pair.pythagoras", 7).right
    False
"""

from __future__ import annotations

from normtheory.course._exercise import Exercise, Feedback, Mistake
from normtheory.course._registry import check, get, lessons

__all__ = ["Exercise", "Feedback", "Mistake", "check", "get", "lessons"]
