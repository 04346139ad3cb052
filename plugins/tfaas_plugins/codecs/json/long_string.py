"""Long strings of JSON, read in parts that end where no character does not."""

from __future__ import annotations

import re

import orjson

from tfaas_core.values.texts import joined_text

_CHARACTERS = re.compile(
    # Two escapes that are one character stay together.
    rb'(?:[^"\\]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}'
    rb"|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\[^u])*+",
    re.DOTALL,
)
_LONGEST_CHARACTER = 4


def read_string(body: bytes, at: int, part_bytes: int) -> tuple[str, int] | None:
    """The string that begins at the quote ``at``, and where it ends; None: it does not, or is none.

    ``part_bytes``: so many are read in one step, 12 at least. Raises orjson.JSONDecodeError for
    what is no text.
    """
    at += 1
    parts = []
    while (end := _end_of_part(body, at, part_bytes)) > at:
        parts.append(orjson.loads(b'"%b"' % body[at:end]))
        at = end
    return (joined_text(parts), at + 1) if body[at : at + 1] == b'"' else None


def _end_of_part(body: bytes, at: int, part_bytes: int) -> int:
    """Where so many characters end; ``at``: there are none, up to the end of the string."""
    found = _CHARACTERS.match(body, at, at + part_bytes)
    assert found is not None  # it matches nothing, too
    end = found.end()
    for back in range(min(_LONGEST_CHARACTER, end - at)):
        if end - back == len(body) or body[end - back] & 0xC0 != 0x80:
            return end - back
    return end
