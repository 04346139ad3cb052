"""How a request's body is read as MessagePack."""

from __future__ import annotations

from typing import Any

import msgspec

from tfaas_core.errors import BadBody, DoesNotFit
from tfaas_core.settings.tables import Limits
from tfaas_core.values.numbers import describe
from tfaas_plugins.codecs.msgpack.numbers import read_with_numbers
from tfaas_plugins.codecs.msgpack.packed import is_packed
from tfaas_plugins.codecs.msgpack.steps import LONG_BYTES, PART_BYTES, read_in_steps
from tfaas_plugins.codecs.values.bounds import check_msgpack, may_hold_too_much
from tfaas_plugins.codecs.values.document import ValuesDocument, document_of

_BYTES = b"\xc6"
"""How long bytes begin: with this, and their length in four."""

_BEGINNING_BYTES = 1 << 8

_QUICK_BYTES = 1 << 21
"""So much is looked through in milliseconds, whatever it is."""


class MsgpackDocument(ValuesDocument):
    """Values may be packed arrays, or NumberLists."""

    packed: bool = False
    """Whether any values are."""


def read_document(body: bytes, limits: Limits) -> MsgpackDocument:
    """The document that ``body`` spells.

    Raises BadBody if the body is not one MessagePack value; DoesNotFit if it is not a map of
    strings, or its fields are no document; TooLarge if it holds more than ``limits`` allow.
    """
    document = document_of(_fields(body, limits), MsgpackDocument)
    inputs = document.inputs or {}
    _check_keys(inputs, "inputs")
    document.packed = is_packed(document.values) or any(map(is_packed, inputs.values()))
    return document


def _fields(body: bytes, limits: Limits) -> dict[str, Any]:
    found = read_with_numbers(body, limits)
    if found is not None:
        _check_keys(found, "the body")
        return found
    try:
        if may_hold_too_much(body, limits):
            if len(body) < _QUICK_BYTES:
                # Without an object for anything in it: whether it is one value, and a whole one.
                msgspec.msgpack.decode(body, type=msgspec.Raw)
            check_msgpack(body, limits)
        is_long = len(body) > LONG_BYTES or _is_mostly_bytes(body)
        fields = read_in_steps(body) if is_long else msgspec.msgpack.decode(body)
    except UnicodeDecodeError:
        raise BadBody(
            "the body is not MessagePack: a string in it is not UTF-8, bytes are sent as bin"
        ) from None
    except (msgspec.DecodeError, RecursionError) as error:
        if not body:
            raise BadBody("the body is empty, send a map") from None
        reason = str(error).removeprefix("MessagePack data is malformed: ")
        raise BadBody(f"the body is not MessagePack: {reason}") from None
    if type(fields) is not dict:
        raise DoesNotFit(f"the body is {describe(fields)}, send a map")
    _check_keys(fields, "the body")
    return fields


def _is_mostly_bytes(body: bytes) -> bool:
    """Whether it seems to be a packed array, by how it begins, of which steps make no copy."""
    if len(body) <= 2 * PART_BYTES:
        return False
    at = 1 + body.find(_BYTES, 0, _BEGINNING_BYTES)
    return at > 0 and 2 * int.from_bytes(body[at : at + 4], "big") > len(body)


def _check_keys(fields: dict[Any, Any], place: str) -> None:
    for key in fields:
        if type(key) is not str:
            raise DoesNotFit(f"a key of {place} is {describe(key)}, keys are strings")
