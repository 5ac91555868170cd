"""Text of the user is shown on one line and obeyed by nobody."""

from __future__ import annotations

import pytest

from normtheory._text import shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a label", "a label"),
        ("", ""),
        (7, "7"),
        ("C:\\new", "C:\\new"),
        ("one\ntwo\r\tthree", r"one\ntwo\r\tthree"),
        ("\x1b[31mred\x1b[0m\x9b1m", r"\x1b[31mred\x1b[0m\x9b1m"),
        ("nul\0bell\a\x7f", r"nul\x00bell\x07\x7f"),
        ("lone \udc80 \ud800", r"lone \udc80 \ud800"),
        ("line\u2028par\u2029next\x85", r"line\u2028par\u2029next\x85"),
        ("right\u202eto left\u2066", r"right\u202eto left\u2066"),
        ("\ufefftag\U000e0041", r"\ufefftag\U000e0041"),
        # Signs of any script, with what joins them, stay what they are.
        ("猫 кот ρ² é e\u0301 🐈", "猫 кот ρ² é e\u0301 🐈"),
        ("می\u200cخواهم 👩\u200d🚀", "می\u200cخواهم 👩\u200d🚀"),
    ],
)
def test_what_would_be_obeyed_is_written_out(text: object, expected: str) -> None:
    assert shown(text) == expected


def test_long_text_loses_its_middle() -> None:
    assert shown("abcdefghij", 10) == "abcdefghij"
    assert shown("abcdefghijk", 10) == "abcdef…ijk"
    assert shown("abcdefghij", 2) == "a…"
    text = "begin" + 200_000 * "x" + "end"
    assert (len(shown(text)), shown(text)[:6], shown(text)[-4:]) == (200, "beginx", "xend")
