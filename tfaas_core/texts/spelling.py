"""Spelling: the names of a document's fields, in whatever case a client sends them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

V = TypeVar("V")


def respelled(fields: Mapping[str, V], known: Collection[str]) -> dict[str, V]:
    """``fields``, with ``Model`` or ``MODEL`` renamed to ``model`` if ``known`` has that.

    As Go's encoding/json does: case does not matter, but a field that is spelt as in ``known``
    wins, unless it is null or "", and of several others the last one does. A field that loses
    keeps its name.
    """
    by_lower = {name.lower(): name for name in known}
    read: dict[str, V] = {}
    for name, value in fields.items():
        right = by_lower.get(name.lower(), name)
        if name == right and _is_empty(value) and right in read:
            continue
        is_lost = name != right and not _is_empty(fields.get(right))
        read[name if is_lost else right] = value
    return read


def printable(name: str) -> str:
    """``name`` as a message can show it, in one line: with ? for what cannot be shown."""
    return "".join(each if each.isprintable() else "?" for each in name)


def _is_empty(value: Any) -> bool:
    return value is None or (type(value) is str and not value)
