"""JSON with NaN and Infinity as bare words, as TensorFlow Serving and Triton read it."""

from __future__ import annotations

import math
import os
from struct import unpack
from typing import Any

import orjson

from tfaas_core.errors import BadBody
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array
from tfaas_plugins.codecs.json.dialect import STANDARD, Dialect, has_words
from tfaas_plugins.codecs.json.numbers import SMALLEST_BYTES, read_with_numbers
from tfaas_plugins.codecs.json.places import NOWHERE, Places
from tfaas_plugins.codecs.json.steps import LONG_BYTES, read_in_steps
from tfaas_plugins.codecs.values.bounds import check_json

_DEEPEST = 128
_DEEP = b"[" * _DEEPEST
_TOO_LARGE = "number is infinity"
"""How orjson begins to tell of a number that no float64 holds."""

_CONTAINERS = frozenset((list, dict))


def _number_of_nobody() -> float:
    number: float = unpack("<d", os.urandom(6) + b"\x12\x03")[0]
    return number


_NAN, _INFINITY, _MINUS_INFINITY = (_number_of_nobody() for _ in range(3))
"""What orjson reads in the place of a bare word: numbers that nobody else sends."""

_MEANINGS = {_NAN: math.nan, _INFINITY: math.inf, _MINUS_INFINITY: -math.inf}
_SPELLINGS = {
    **{b"NaN": _NAN, b"-NaN": _NAN, b"Inf": _INFINITY, b"Infinity": _INFINITY},
    **{b"-Inf": _MINUS_INFINITY, b"-Infinity": _MINUS_INFINITY},
}


class NotJson(BadBody):
    """The body is no JSON; ``offset`` is where, in bytes or characters."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class _BareWords(Dialect):
    """NaN and the infinities, read for what they mean."""

    def meant(self, found: Any) -> Any:
        return _put_right(found)

    def meant_by(self, numbers: Array) -> Array:
        return _right(numbers)


_BARE_WORDS = _BareWords({word: b" %r " % number for word, number in _SPELLINGS.items()})
_AS_LONG = Dialect({word: b" 0 ".ljust(len(word)) for word in _SPELLINGS})
"""What stands for words there does not move what else there is."""


def read(body: bytes, limits: Limits, numbers: Places = NOWHERE) -> Any:
    """The value that ``body`` spells, with NumberLists in the places ``numbers``.

    Raises NotJson, and TooLarge beyond ``limits``.
    """
    if _DEEP in body:
        raise NotJson(f"the body is nested more than {_DEEPEST} deep")
    check_json(body, limits)
    if len(body) < SMALLEST_BYTES:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # a bare word, or it is told what is wrong
    if not has_words(body):
        return _read(body, STANDARD, numbers)
    try:
        return _read(body, _BARE_WORDS, numbers)
    except NotJson:
        # It is told with its place.
        _read(body, _AS_LONG, NOWHERE)
        raise


def _read(body: bytes, dialect: Dialect, numbers: Places) -> Any:
    try:
        if len(body) > LONG_BYTES:
            return read_in_steps(body, dialect, numbers)
        found = read_with_numbers(body, numbers, dialect)
        return dialect.value(body) if found is None else found
    except orjson.JSONDecodeError as error:
        is_too_large = error.msg.startswith(_TOO_LARGE)
        told = "a number is too large for any model" if is_too_large else error.msg
        raise NotJson(told, error.pos) from None


def _put_right(document: Any) -> Any:
    """``document`` with what the bare words mean."""
    whole = [document]
    left: list[Any] = [whole]
    while left:
        inner = left.pop()
        if type(inner) is dict:
            for name, value in inner.items():
                if type(value) is float:
                    inner[name] = _MEANINGS.get(value, value)
            inner = inner.values()
        else:
            _put_list_right(inner)
        if not _CONTAINERS.isdisjoint(map(type, inner)):
            left += (value for value in inner if type(value) in _CONTAINERS)
    return whole[0]


def _put_list_right(values: list[Any]) -> None:
    for number, meaning in _MEANINGS.items():
        at = -1
        try:
            while True:
                at = values.index(number, at + 1)
                values[at] = meaning
        except ValueError:
            continue


def _right(array: Array) -> Array:
    right = array.copy()
    if array.dtype.kind == "f":
        for number, meaning in _MEANINGS.items():
            right[array == number] = meaning
    return right
