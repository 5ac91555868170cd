"""Other people's text, shown: a terminal, a table or a page never obeys it."""

from __future__ import annotations

import unicodedata

_OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Kinds of characters, by Unicode: controls, directions of writing, surrogates, ends of lines."""

_JOINERS = "\u200c\u200d"  # among them, but scripts and emoji are written with these


def shown(text: object, most: int = 200) -> str:
    r"""Text of the user on one line, as wherever it is printed.

    Args:
        text: a label, a name, a word, or a message with such in it.
        most: characters of it that are shown; a longer one loses its middle.

    Returns:
        The text, in it what would be obeyed as Python writes it: an end of a line as ``\n``.
    """
    text = str(text)
    if len(text) > most:
        end = most // 3
        text = f"{text[: most - end - 1]}…{text[len(text) - end :]}"
    return "".join(map(_sign, text))


def quoted(value: object) -> str:
    """A value of the user as Python writes it, shortened as by :func:`shown`."""
    return shown(repr(value))


def _sign(sign: str) -> str:
    if sign in _JOINERS or unicodedata.category(sign) not in _OBEYED:
        return sign
    return sign.encode("unicode_escape").decode("ascii")
