"""What an exercise is: a question, its answer, and a sentence for every mistake that is often made.

An exercise is data, and has no number in it that the library can compute. An answer is compared
with the right one; a function that a student writes is called on drawn inputs, and what comes out
is compared; and where many answers are right, a ``judge`` says what is wrong with one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from normtheory.course._agreement import direction, distance, obstacle

_DRAWS = 5


@dataclass(frozen=True)
class Feedback:
    """What is said about an answer; it displays itself.

    Attributes:
        right: whether it is right.
        sentence: why, or what to look at.
    """

    right: bool
    sentence: str

    def __repr__(self) -> str:
        return f"Right: {self.sentence}" if self.right else self.sentence

    def _repr_markdown_(self) -> str:
        return f"{'✓' if self.right else '→'} {self!r}"


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that is often given.

    Attributes:
        answer: a number, an array, a truth value, a word, or a callable of no arguments that
            gives it; where students answer with a function, a function.
        sentence: what helps whoever gave it.
    """

    answer: Any
    sentence: str


@dataclass(frozen=True)
class Exercise:
    r"""One question of a lesson; it displays its question and, folded, its hint.

    Attributes:
        name: one word, with that of its lesson before it for users: ``"one_pair.steps"``.
        question: Markdown, with formulas between dollar signs.
        answer: the right one: a number, an array, a truth value, a word, or a callable of no
            arguments that computes it. With ``draw``, the right function. With ``judge``, one of
            the right answers.
        right: what is said of a right answer: why it is right.
        mistakes: wrong answers, each with its sentence.
        hint: what is said of any other answer.
        relative: by how much a number may be off, relative to it; 1 % lets rounded answers pass.
        draw: makes the arguments of one call from a random generator, where the answer is a
            function.
        judge: says what is wrong with an answer, or None where it is right.
    """

    name: str
    question: str
    answer: Any
    right: str
    mistakes: tuple[Mistake, ...] = ()
    hint: str = ""
    relative: float = 0.01
    draw: Callable[[np.random.Generator], tuple[Any, ...]] | None = None
    judge: Callable[[Any], str | None] | None = None

    def feedback(self, answer: Any) -> Feedback:
        """Judge an answer. Whatever comes is answered with a sentence; nothing is raised."""
        wrong = self._wrong(answer)
        return Feedback(wrong is None, self.right if wrong is None else wrong)

    def right_answer(self) -> Any:
        """The answer, computed where it is computed."""
        return self._value(self.answer)

    def _repr_markdown_(self) -> str:
        hint = f"\n\n<details><summary>Hint</summary>{self.hint}</details>" if self.hint else ""
        return f"**Exercise** `{self.name}`: {self.question}{hint}"

    def _value(self, answer: Any) -> Any:
        plain = self.draw is not None or self.judge is not None
        return answer() if callable(answer) and not plain else answer

    def _wrong(self, answer: Any) -> str | None:
        if answer is ... or answer is None:
            return obstacle(answer, None)
        if self.judge is not None:
            return self._judged(answer)
        if self.draw is not None:
            return self._compared_by_calls(answer)
        return self._compared(answer, *map(self._value, (self.answer, *self._mistaken())))

    def _mistaken(self) -> tuple[Any, ...]:
        return tuple(mistake.answer for mistake in self.mistakes)

    def _compared(self, answer: Any, right: Any, *mistaken: Any) -> str | None:
        said = obstacle(answer, right)
        if said is not None:
            return said
        if distance(answer, right) <= self.relative:
            return None
        far = [distance(answer, wrong) for wrong in mistaken]
        if far and min(far) <= self.relative:
            return self.mistakes[far.index(min(far))].sentence
        return f"{direction(answer, right)} {self.hint}".strip()

    def _judged(self, answer: Any) -> str | None:
        assert self.judge is not None
        try:
            return self.judge(answer)
        except Exception as error:  # noqa: BLE001 # whatever a student hands in gets a sentence
            return f"This could not be judged ({_said(error)}). {self.hint}".strip()

    def _compared_by_calls(self, answer: Any) -> str | None:
        assert self.draw is not None
        if not callable(answer):
            return "The answer is a function: hand in its name, without calling it."
        rng = np.random.default_rng(0)
        calls = [self.draw(rng) for _ in range(_DRAWS)]
        right, *mistaken = (
            np.stack([np.asarray(function(*given)) for given in calls])
            for function in (self.answer, *self._mistaken())
        )
        found = []
        for given, wanted in zip(calls, right, strict=True):
            shown = ", ".join(np.array2string(np.asarray(x), precision=3) for x in given)
            try:
                found.append(answer(*given))
            except Exception as error:  # noqa: BLE001 # it is the student's function
                return f"Your function raised {_said(error)} when called with {shown}."
            said = obstacle(found[-1], wanted)
            if said is not None:
                return f"Called with {shown}: {said}"
        stacked = np.stack([np.asarray(x, dtype=float).reshape(right.shape[1:]) for x in found])
        return self._compared(stacked, right, *mistaken)


def _said(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
