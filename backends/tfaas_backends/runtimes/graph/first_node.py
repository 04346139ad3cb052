"""The first node of a GraphDef's file, told from the first bytes, without TensorFlow."""

from __future__ import annotations

import re
from pathlib import Path

_START_BYTES = 4096

# Field 1 of a GraphDef is a node, whose field 1 is its name, and field 2 its op. Each is preceded
# by its length: 7 bits a byte, the lowest first.
_NODE = re.compile(
    rb"\n[\x80-\xff]{0,4}[\x00-\x7f]"
    rb"\n([\x80-\xff]?[\x01-\x7f])([A-Za-z0-9.][\w./\\>-]*)"
    rb"\x12([\x80-\xff]?[\x01-\x7f])([A-Za-z_][\w.>-]*)"
)


def begins_with_node(file: Path) -> bool:
    """Whether the file begins with a node as TensorFlow names them. Raises OSError."""
    with file.open("rb") as opened:
        found = _NODE.match(opened.read(_START_BYTES))
    if found is None:
        return False
    return len(found[2]) == _number(found[1]) and len(found[4]) == _number(found[3])


def _number(varint: bytes) -> int:
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(varint))
