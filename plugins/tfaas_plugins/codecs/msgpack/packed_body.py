"""Packed bodies: a packed array or several, and perhaps a model's name, read in microseconds.

They are read by their types, and nothing is copied. What has another field, or is anything else, is
read as a document, which has words for what is wrong.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

import msgspec

from tfaas_core.settings.tables import Limits
from tfaas_core.texts.unreadable import UNREADABLE
from tfaas_plugins.codecs.msgpack.document import MsgpackDocument
from tfaas_plugins.codecs.msgpack.packed import MOST_AXES
from tfaas_plugins.codecs.values.usual import MOST_ARRAY_BYTES

_MOST_INPUTS = 64
_FEW_FIELDS, _MOST_FIELDS = 0x80, 0x8F
_THREE_FIELDS = 0x83
_NOTHING = msgspec.Raw()


class _Packed(TypedDict):
    dtype: str
    shape: Annotated[list[int], msgspec.Meta(max_length=MOST_AXES)]
    data: memoryview


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    model: str | None = None
    values: msgspec.Raw = _NOTHING
    inputs: Annotated[dict[str, msgspec.Raw], msgspec.Meta(max_length=_MOST_INPUTS)] | None = None


_body_of = msgspec.msgpack.Decoder(_Body).decode
_packed_of = msgspec.msgpack.Decoder(_Packed).decode


def read_packed_body(body: bytes, limits: Limits) -> MsgpackDocument | None:
    """The document that ``body`` spells; None: it holds more than packed arrays, or is long."""
    if len(body) > MOST_ARRAY_BYTES or not _FEW_FIELDS < (body or b"\0")[0] <= _MOST_FIELDS:
        return None
    try:
        sent = _body_of(body)
        if (sent.values is _NOTHING) is (sent.inputs is None):
            return None
        raw = {"values": sent.values} if sent.inputs is None else sent.inputs
        arrays = {name: _packed(each) for name, each in raw.items()}
    except UNREADABLE:
        return None
    others = len(body) - sum(len(each["data"]) for each in arrays.values())
    # So many bytes can hold no more than is allowed.
    if others > min(limits.max_lists, limits.max_values, limits.max_json_bytes):
        return None
    document = MsgpackDocument(model=sent.model or None, packed=True)
    if sent.inputs is None:
        document.values = arrays["values"]
    else:
        document.inputs = arrays
    return document


def _packed(raw: msgspec.Raw) -> _Packed:
    if memoryview(raw)[0] != _THREE_FIELDS:
        raise msgspec.ValidationError("fields that would be passed over, and may be many")
    return _packed_of(raw)
