"""Dialect: JSON, or what is JSON but for bare words like NaN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from tfaas_core.tensors import Array
from tfaas_plugins.codecs.json.bare_words import replaced


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
    return b"NaN" in text or b"Inf" in text


STANDARD = Dialect()
"""JSON."""
