"""One line of what foreign code says or raises, whatever that text is like."""

from __future__ import annotations

from contextlib import suppress


def described(error: BaseException) -> str:
    """The class of ``error``, and its text in one line."""
    return f"{type(error).__name__}: {text(error)}".removesuffix(": ")


def text(error: BaseException) -> str:
    """The text of ``error``, which is foreign, in one line that can be sent and printed."""
    with suppress(Exception):
        return one_line(str(error))
    return ""


def one_line(text: str) -> str:
    """``text`` without line breaks and lone surrogates, which can be neither sent nor printed."""
    return " ".join(text.split()).encode(errors="backslashreplace").decode()
