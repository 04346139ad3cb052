"""Words: how what was sent and answered is shown, on one line and in ASCII."""

from __future__ import annotations

import json
import re
from typing import Any

_MAX_SHOWN = 200

_LONE_BYTE = re.compile(r"\\udc([89a-f][0-9a-f])")


def cut(value: bytes | str, most: int = _MAX_SHOWN) -> str:
    """Bytes or text without what could move a terminal's cursor, and without all after ``most``."""
    head = value[:most]
    text = head.decode("utf-8", "surrogateescape") if isinstance(head, bytes) else head
    plain = _LONE_BYTE.sub(r"\\x\1", text.strip().encode("unicode_escape").decode("ascii"))
    return plain if len(value) <= most else f"{plain}... ({len(value)} in all)"


def brief(value: Any, most: int = _MAX_SHOWN) -> str:
    """A part of a JSON document."""
    try:
        return cut(json.dumps(value, default=repr), most)
    except (ValueError, RecursionError):
        return "what cannot be shown"
