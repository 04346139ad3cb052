"""Dialect: JSON, or what is JSON but for bare words like NaN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from tfaas_core.tensors import Array
from tfaas_core.values.pieces import BYTES_AT_ONCE
from tfaas_plugins.codecs.json.bare_words import replaced

_WORDS = ((b"N", b"NaN"), (b"I", b"Inf"))
"""Each behind its first letter, which is found twenty times as fast, and is in few bodies."""


class Dialect:
    """What a text means whose bare words stand for something else. By itself, it has none."""

    def __init__(self, words: Mapping[bytes, bytes] | None = None) -> None:
        """``words``: what is read in their places."""
        self._words = words or {}

    def value(self, text: bytes) -> Any:
        """The value that ``text`` spells. Raises orjson.JSONDecodeError."""
        if not self._words:
            return orjson.loads(text)
        return self.meant(orjson.loads(self.plain(text)))

    def plain(self, text: bytes) -> bytes:
        """The text as JSON: with what is read for the words."""
        return replaced(text, self._words) if self._words and has_words(text) else text

    def meant(self, found: Any) -> Any:
        """What was ``found`` in a plain text, with what the words mean."""
        return found

    def meant_by(self, numbers: Array) -> Array:
        """The same of an array."""
        return numbers


def has_words(text: bytes) -> bool:
    """Whether there may be a NaN or an infinity."""
    # A text that is nearly all of one letter takes long.
    starts = range(0, len(text), BYTES_AT_ONCE)
    return any(_has_words_at(text, at, at + BYTES_AT_ONCE + 2) for at in starts)


def _has_words_at(text: bytes, at: int, end: int) -> bool:
    return any(
        text.find(letter, at, end) >= 0 and text.find(word, at, end) >= 0 for letter, word in _WORDS
    )


STANDARD = Dialect()
"""JSON."""
