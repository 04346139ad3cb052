"""How a request's body is read as JSON."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec
import orjson

from tfaas_core.errors import BadBody, DoesNotFit, TfaasError
from tfaas_core.values.numbers import NAN_HINT, describe
from tfaas_plugins.codecs.json.dialect import STANDARD, Dialect
from tfaas_plugins.codecs.json.numbers import SMALLEST_BYTES, read_with_numbers
from tfaas_plugins.codecs.json.places import ANY, Places
from tfaas_plugins.codecs.json.steps import LONG_BYTES, read_in_steps
from tfaas_plugins.codecs.values.bounds import count_of
from tfaas_plugins.codecs.values.document import ValuesDocument, document_of
from tfaas_plugins.codecs.values.number_lists import NumberLists

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_NOT_A_NUMBER = re.compile(r"NaN|Infinity")
_MOST_DIGITS = 1000
"""Of a number that is told to be too large."""
NUMBERS = Places(("values",), ("value",), ("inputs", ANY))
"""Where in a document there may be many numbers."""

_NULLS = Dialect({b"NaN": b"null", b"-NaN": b"null"})
_AS_LONG = Dialect({b"NaN": b"1.0", b"-NaN": b"-1.0"})


class NanFound(BadBody):
    """A NaN by that name, which JSON does not have."""


class JsonDocument(ValuesDocument):
    """Values as JSON spells them, or NumberLists.

    ``nan``: why the body is not JSON. It is but for NaNs, which are read as null; None: it is.
    """

    nan: NanFound | None = None


def read_document(body: bytes) -> JsonDocument:
    """The document that ``body`` spells.

    Raises BadBody if the body is not JSON; DoesNotFit if it is not an object, its fields are
    no document, or a number is too large for float64.
    """
    body = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        return _document(body)
    except NanFound as found:
        try:
            document = _document(body, _NULLS)
        except TfaasError:
            # What else is wrong is told with its place, which numbers as long as NaN do not move.
            _document(body, _AS_LONG)
            raise
        document.nan = found
        return document


def _document(body: bytes, dialect: Dialect = STANDARD) -> JsonDocument:
    fields = _fields(body, dialect)
    document = document_of(fields, JsonDocument)
    document.booleans = _may_hold_booleans(body, fields, document)
    return document


def _fields(body: bytes, dialect: Dialect) -> dict[str, Any]:
    is_short = len(body) < SMALLEST_BYTES and dialect is STANDARD
    try:
        fields = orjson.loads(body) if is_short else _read(body, dialect)
    except orjson.JSONDecodeError as error:
        raise _unreadable(dialect.plain(body), error) from None
    if type(fields) is not dict:
        raise DoesNotFit(f"the body is {describe(fields)}, send a JSON object")
    return fields


def _read(body: bytes, dialect: Dialect) -> Any:
    if len(body) > LONG_BYTES:
        return read_in_steps(body, dialect, NUMBERS)
    found = read_with_numbers(body, NUMBERS) if dialect is STANDARD else None
    return dialect.value(body) if found is None else found


def _unreadable(body: bytes, error: orjson.JSONDecodeError) -> TfaasError:
    if not body.strip():
        return BadBody("the body is empty, send a JSON object")
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        return BadBody(f"the body is not JSON: byte {wrong.start} is not UTF-8")
    place = f"line {error.lineno}, column {error.colno}"
    number = _NUMBER.match(error.doc, error.pos, error.pos + _MOST_DIGITS)
    if number and math.isinf(float(number[0])):
        return _too_large(number[0], place, body)
    if found := _NOT_A_NUMBER.match(error.doc, error.pos):
        what = f"the body is not JSON: {found[0]} at {place}"
        return NanFound(what + NAN_HINT) if found[0] == "NaN" else BadBody(what)
    return BadBody(f"the body is not JSON: {error.msg}, at {place}")


def _too_large(number: str, place: str, body: bytes) -> TfaasError:
    # orjson stopped at the number; msgspec checks what follows, without reading numbers.
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError) as error:
        return BadBody(f"the body is not JSON: {error}")
    return DoesNotFit(f"the number at {place} is too large for any model", got=number[:40])


def _may_hold_booleans(body: bytes, fields: dict[str, Any], document: JsonDocument) -> bool:
    sent = [document.values] if document.inputs is None else document.inputs.values()
    if all(type(each) is NumberLists for each in sent):
        return False
    # To look at each value would take as long as to read it. But "true" needs a "u" and "false" an
    # "f": if the names account for all of these, none is left. Escapes would upset the count.
    has_name = "values" in fields or "inputs" in fields or "value" in fields
    if has_name and b"f" not in body and body.find(b"u") == body.rfind(b"u"):
        return False  # the one "u" is that of the name
    names = "".join(
        (
            *(*fields, *(document.keys or ()), *(document.inputs or ())),
            *(document.model or "", document.label or "", document.signature or ""),
        )
    )
    letters = ("u", "f")
    return b"\\" in body or any(
        count_of(body, letter.encode()) > names.count(letter) for letter in letters
    )
