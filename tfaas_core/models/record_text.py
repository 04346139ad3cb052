"""Record text: JSON that a storage keeps, with the checksum of itself."""

from __future__ import annotations

import hashlib
import re
from typing import TypeVar

import msgspec

_T = TypeVar("_T")

_CHECKSUM = ',"record_checksum":"sha256:{}"}}'
_END = re.compile(rb',"record_checksum":"sha256:([0-9a-f]{64})"\}\s*\Z')
_END_BYTES = 256


def record_text(value: msgspec.Struct) -> bytes:
    """``value`` as JSON, with its checksum as a further member; it has one field at least.

    Raises RecursionError if it is nested too deeply.
    """
    text = msgspec.json.encode(value)
    return text[:-1] + _CHECKSUM.format(hashlib.sha256(text).hexdigest()).encode()


def record_value(text: bytes | str, kind: type[_T]) -> _T:
    """The value, of a struct's type, that ``record_text`` gave this text of.

    One without a checksum, as others write it, is taken as it is. Raises msgspec.DecodeError if
    it is no such value, or not what was written.
    """
    content = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    try:
        value = msgspec.json.decode(content, type=kind)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
    end = _END.search(content, max(len(content) - _END_BYTES, 0))
    if end is not None:
        written = content[: end.start()] + b"}"
        if hashlib.sha256(written).hexdigest().encode() != end[1]:
            raise msgspec.DecodeError("its checksum is another: some bytes of it have changed")
    return value
