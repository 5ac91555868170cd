"""The exercises of the course: every answer gets the sentence that it deserves."""

from __future__ import annotations

import re

import numpy as np
import pytest

import normtheory as nt
from normtheory.course import Exercise, Mistake
from normtheory.course._registry import exercises

NAMES = [f"{lesson}.{own}" for lesson in nt.course.lessons() for own in exercises(lesson)]


@pytest.fixture(scope="module", params=NAMES)
def exercise(request):
    return nt.course.get(request.param)


def test_the_right_answer_is_judged_right(exercise):
    found = exercise.feedback(exercise.right_answer())
    assert (found.right, found.sentence) == (True, exercise.right)


def test_each_mistake_gets_its_own_sentence(exercise):
    assert exercise.mistakes
    sentences = [mistake.sentence for mistake in exercise.mistakes]
    assert len(set(sentences)) == len(sentences)
    for mistake in exercise.mistakes:
        found = exercise.feedback(exercise._value(mistake.answer))
        assert (found.right, found.sentence) == (False, mistake.sentence)


def test_an_answer_not_yet_given_is_asked_for(exercise):
    for blank in (..., None):
        assert not exercise.feedback(blank).right
        assert "put your answer where the dots are" in exercise.feedback(blank).sentence


def test_whatever_is_handed_in_gets_a_sentence(exercise):
    strange = ([], {}, "?", b"?", True, np.nan, 1j, np.zeros((2, 0)), object(), int, lambda: 1 / 0)
    for answer in strange:
        found = exercise.feedback(answer)
        assert not found.right
        assert len(found.sentence) > 20


NUMBER = Exercise(
    "number", "?", lambda: 2.0, "yes", (Mistake(4.0, "squared"),), hint="Halve it.", relative=0.01
)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (1.99, "yes"),
        (np.array([2.005]), "yes"),
        (4, "squared"),
        (3.0, "Not yet: too large. Halve it."),
        (1.0, "Not yet: too small. Halve it."),
        (np.inf, "Not yet: too large. Halve it."),
        (np.nan, "Your answer has nan in it: look for 0/0, or for an arccos of more than 1."),
        ([2.0, 2.0], "The answer is one number; this is an array of shape (2,)."),
        (abs, "This is a function; the answer is one number. Did you forget to call it?"),
        (True, "The answer is one number (your answer: expected real numbers, got a truth value)."),
    ],
)
def test_a_number_is_compared(answer, sentence):
    found = NUMBER.feedback(answer)
    assert found.sentence == sentence
    assert found.right == (sentence == "yes")


def test_of_two_near_mistakes_the_nearer_one_is_meant():
    mistakes = (Mistake(1.0, "none"), Mistake(0.999, "one"))
    exercise = Exercise("near", "?", 0.5, "yes", mistakes)
    said = [exercise.feedback(answer).sentence for answer in (1.0, 0.9996, 0.9994, 0.999)]
    assert said == ["none", "none", "one", "one"]


@pytest.mark.parametrize(
    ("right", "answer", "sentence"),
    [
        ([0.0, 1.0], [1e-12, 1.005], "yes"),
        ([0.0, 1.0], [1e-3, 1.0], "Not yet."),
        ([0.0, np.inf], [0.0, np.inf], "yes"),
        ([0.0, 1.0], [0.0, np.inf], "Not yet."),
        ([0.0, 1.0], 1.0, "The answer is an array of shape (2,); this is one number."),
        (True, np.True_, "yes"),
        (True, False, "Not yet."),
        (True, 1, "The answer is True or False."),
        ("Across", " across", "yes"),
        ("Across", "along", "Not yet."),
        ("Across", 1, "The answer is a word, as text in quotes."),
    ],
)
def test_other_kinds_are_compared(right, answer, sentence):
    assert Exercise("other", "?", right, "yes").feedback(answer).sentence == sentence


FUNCTION = Exercise(
    "function",
    "?",
    np.hypot,
    "yes",
    (Mistake(lambda x, y: x + y, "They are not along each other."),),
    draw=lambda rng: tuple(rng.uniform(1, 2, 2)),
)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda x, y: (x * x + y * y) ** 0.5, "^yes$"),
        (np.add, "^They are not along each other.$"),
        (lambda x, y: x, "^Not yet.$"),
        (3.0, "^The answer is a function: hand in its name, without calling it.$"),
        (lambda x, y: 1 / 0, r"^Your function raised ZeroDivisionError: .* with 1\.\d+, 1\.\d+\.$"),
        (lambda x: x, "^Your function raised TypeError: "),
        (lambda x, y: None, "^Called with .*: Nothing to judge yet"),
        (lambda x, y: [x, y], "^Called with .*: The answer is one number; this is an array of"),
    ],
)
def test_a_function_is_called(answer, sentence):
    assert re.search(sentence, FUNCTION.feedback(answer).sentence)


def test_feedback_and_question_display_themselves():
    found = NUMBER.feedback(2)
    assert repr(found) == "Right: yes"
    assert found._repr_markdown_() == "✓ Right: yes"
    assert repr(NUMBER.feedback(4)) == "squared"
    assert NUMBER.feedback(4)._repr_markdown_() == "→ squared"
    assert "Halve it." in NUMBER._repr_markdown_()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("one_pair.step", "did you mean one_pair.steps"),
        ("one_pear.steps", "did you mean one_pair.steps"),
        ("zzz", "known: "),
        (3, "known: "),
    ],
)
def test_an_unknown_exercise_is_named_with_its_neighbours(name, hint):
    with pytest.raises(ValueError, match=f"^no exercise is called .*{hint}"):
        nt.course.check(name, 1)
