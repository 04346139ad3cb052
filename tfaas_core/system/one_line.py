"""One line of an error that foreign code raised, whatever its text is like."""

from __future__ import annotations

from contextlib import suppress


def described(error: BaseException) -> str:
    """The class of ``error``, and its text in one line."""
    return f"{type(error).__name__}: {text(error)}".removesuffix(": ")


def text(error: BaseException) -> str:
    """The text of ``error``, which is foreign, in one line that can be sent and printed."""
    with suppress(Exception):
        line = " ".join(str(error).split())
        return line.encode(errors="backslashreplace").decode()
    return ""
