"""Jwt: a token as it was sent, which nobody has verified yet."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from typing import Any

import msgspec

MAX_TOKEN_BYTES = 16_384

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)", re.ASCII)
_FAULTS = (ValueError, RecursionError)


class Jwt(msgspec.Struct, frozen=True):
    """``text``, and what it claims."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]

    @classmethod
    def of(cls, text: str) -> Jwt | None:
        """None if it is none: it is too long, say, or a name is repeated in it."""
        found = _COMPACT.fullmatch(text) if len(text) <= MAX_TOKEN_BYTES else None
        if found is None:
            return None
        try:
            return cls(text, strict_object(_decoded(found[1])), strict_object(_decoded(found[2])))
        except _FAULTS:
            return None


def strict_object(text: bytes) -> dict[str, Any]:
    """The JSON object that ``text`` is. Raises ValueError and RecursionError.

    Of a repeated name, each reader may take another value, so there must be none.
    """
    document = json.loads(
        text.decode("utf-8"), object_pairs_hook=_unrepeated, parse_constant=_no_number
    )
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    return document


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated in it")
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")
