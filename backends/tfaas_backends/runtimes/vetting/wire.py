"""How large a message of protocol buffers would become, told from its bytes before it is parsed.

Parsed, two bytes of a file may take a hundred of memory: an empty message in a list is such. So
its parts are counted first, without making anything of them. What is not whole is left to the
parser, which says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfaas_core.errors import CannotServe

MAX_BYTES = (1 << 31) - 1
"""Of a message; protocol buffers go no further."""

MAX_PARTS = 4_000_000
"""The most fields that a message may hold, in all its parts."""

MAX_DEPTH = 200
"""How deep its parts may be nested; the parser goes half as deep."""

_MAX_UNSEEN_BYTES = 8 << 20
"""Parts that are not looked into may hold so much together: parsed, that is less than 1 GB."""

_UNSEEN_BYTES = (1 << 16, 1 << 10, 0)
"""Of a part that is not looked into: first large ones, as that is quick, then smaller ones."""

_MAX_VARINT_BYTES = 10
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_Fields = Mapping[int, Any]
"""The numbers of the fields that are messages, each with the descriptor of what it holds."""


def check_parts(content: bytes, message: Any, what: str) -> None:
    """Raises CannotServe if ``content``, to be parsed as a ``message``, is or becomes too large.

    ``message``: a class of protocol buffers; ``what``: what errors call the content.
    """
    if len(content) > MAX_BYTES:
        raise CannotServe(
            f"{what} is larger than {MAX_BYTES} bytes, the most that TensorFlow reads",
            field="model",
        )
    parts = _Parts(content, what)
    for size in _UNSEEN_BYTES if len(content) > _MAX_UNSEEN_BYTES else ():
        if parts.count(message.DESCRIPTOR, size) <= _MAX_UNSEEN_BYTES:
            return


class _Parts:
    def __init__(self, content: bytes, what: str) -> None:
        self._content = content
        self._what = what
        self._messages: dict[str, _Fields] = {}

    def count(self, descriptor: Any, unseen_bytes: int) -> int:
        """Counts all parts but those in parts of so many bytes; gives the bytes of these."""
        content, left, unseen = self._content, MAX_PARTS, 0
        waiting = [(descriptor, 0, len(content))]
        while waiting:
            found, at, end = waiting.pop()
            messages = self._fields(found)
            if len(waiting) > MAX_DEPTH:
                raise self._too_much(f"parts that are nested more than {MAX_DEPTH} deep")
            while at < end:
                left -= 1
                if left < 0:
                    raise self._too_much(f"more than {MAX_PARTS} fields")
                # Nearly all fields begin with two bytes: the number with the kind, and the size.
                tag, size = content[at], content[at + 1] if at + 1 < end else 0x80
                if tag & 0x87 == _BYTES and size < 0x80:
                    number, at = tag >> 3, at + 2
                    size = min(size, end - at)
                else:
                    number, at, size = self._field(at, end)
                if number in messages and size > unseen_bytes:
                    # First what is within, then the rest.
                    waiting += (found, at + size, end), (messages[number], at, at + size)
                    break
                unseen += size if number in messages else 0
                at += size
        return unseen

    def _too_much(self, what: str) -> CannotServe:
        return CannotServe(
            f"{self._what} holds {what}: no server could hold what becomes of it", field="model"
        )

    def _fields(self, descriptor: Any) -> _Fields:
        name = descriptor.full_name
        if name not in self._messages:
            self._messages[name] = {
                field.number: field.message_type
                for field in descriptor.fields
                if field.message_type is not None
            }
        return self._messages[name]

    def _field(self, at: int, end: int) -> tuple[int, int, int]:
        """The field that begins at ``at``: its number, and where its value begins, and its size.

        Of what cannot be one, the value reaches to the end.
        """
        tag, at = self._varint(at)
        kind = tag & 7
        if kind == _BYTES:
            size, at = self._varint(at)
        elif kind == _VARINT:
            size, at = 0, self._varint(at)[1]
        else:
            size = {_FIXED64: 8, _FIXED32: 4}.get(kind, end - at)
        if at + size > end:
            return 0, at, max(end - at, 0)
        return tag >> 3, at, size

    def _varint(self, at: int) -> tuple[int, int]:
        value, shift = 0, 0
        for byte in self._content[at : at + _MAX_VARINT_BYTES]:
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
            shift += 7
        return 0, len(self._content)
