"""TOML, written: the few forms that configurations have."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any


def quoted(text: str) -> str:
    """A TOML string: JSON's, but for a character that TOML does not take as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def value_text(value: Any) -> str:
    """A value as it stands behind ``key =``, in one line. TOML has no null: keys of None go."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, Mapping):
        given = {key: inner for key, inner in value.items() if inner is not None}
        pairs = [f"{key_text(key)} = {value_text(inner)}" for key, inner in given.items()]
        return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
    return json.dumps(value, default=str)


def key_text(key: str) -> str:
    """A key as it stands before ``=``, in one line."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else quoted(key)
