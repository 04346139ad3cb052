"""Lists of numbers in a JSON body, read into arrays without a Python object for each number."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import chain
from math import prod
from typing import Any

import msgspec
import numpy as np
import orjson
import simdjson

from tfaas_core.tensors import Array
from tfaas_plugins.codecs.json.compiled import lists_at
from tfaas_plugins.codecs.json.cut_out import read_cut_out
from tfaas_plugins.codecs.json.dialect import STANDARD, Dialect
from tfaas_plugins.codecs.json.kept_parser import read_parsed
from tfaas_plugins.codecs.json.places import Places
from tfaas_plugins.codecs.values.bounds import count_of
from tfaas_plugins.codecs.values.number_lists import NumberLists, Path

_WORTH_NUMBERS, _WORTH_FIELD = 1000, 200
"""Fewer, in all or for each field, are read sooner by orjson."""
_MANY_NUMBERS = 20_000
"""Beyond it, fields are not counted, which takes longer the longer the body is."""

SMALLEST_BYTES = 1 << 12
"""A shorter body is read sooner by orjson, whatever is in it."""

_SAMPLE_BYTES = 1 << 8
_SAMPLES_AT = (29, 53, 83)
"""In hundredths of a body: the names of several inputs, all as long, are at none of them, or one.
"""
_MOST_FIELDS = 64
MOST_OBJECTS = 64
_WORTH_OBJECT_BYTES = 1 << 13
"""Of a list that is gone through one by one: more, and of objects instead of numbers smaller ones,
are read sooner by orjson."""

NO_NUMBERS = (ValueError, TypeError, RuntimeError, MemoryError)
"""What simdjson, and who asks it for numbers, raises where there are none."""

_LONG_LIST_BYTES = 1 << 7
_OF_NO_FORM = bytes(set(range(256)).difference(b"[],"))
_INTEGERS = np.dtype(np.int64)
_FLOATS = np.dtype(np.float64)


def read_with_numbers(
    body: bytes, places: Places, dialect: Dialect = STANDARD
) -> dict[str, Any] | None:
    """The fields of a JSON object, with NumberLists in ``places``.

    None if orjson reads the body sooner, or if it is anything else than an object with such lists
    there: what it is instead, orjson tells.
    """
    # Escapes could hide brackets: see _are_all.
    if not _is_worth_it(body) or b"\\" in body:
        return None
    if (fields := read_cut_out(body, places, dialect)) is not None:
        return fields
    try:
        lists = count_of(body, b"[")
        found = _Found(body, places, dialect, _are_long(lists, body))
        fields = read_parsed(dialect.plain(body), found.fields)
        if fields is None:
            return None
        fields = dialect.meant(fields)
        return fields if _are_all(lists, body, fields, found.is_walked) else None
    except NO_NUMBERS:
        return None


def _is_worth_it(body: bytes) -> bool:
    """Whether there seem to be many numbers in few fields, by what is here and there."""
    if len(body) < SMALLEST_BYTES:
        return False
    starts = [len(body) * each // 100 for each in _SAMPLES_AT]
    samples = [body[at : at + _SAMPLE_BYTES] for at in starts]
    commas = [sample.count(b",") for sample in samples if b'"' not in sample]
    numbers = max(commas, default=0) * len(body) // _SAMPLE_BYTES
    return numbers >= _WORTH_NUMBERS and (
        numbers >= _MANY_NUMBERS or numbers >= _WORTH_FIELD * count_of(body, b":")
    )


class _Found(msgspec.Struct, frozen=True):
    """What simdjson has, as Python has it; with NumberLists in ``places`` of ``body``."""

    body: bytes
    places: Places
    dialect: Dialect
    is_walked: bool

    def fields(self, parsed: Any) -> dict[str, Any] | None:
        """Those of an object; None: it is none."""
        return self.at((), parsed) if type(parsed) is simdjson.Object else None

    def at(self, path: Path, value: Any) -> Any:
        """What there is at ``path``. Raises ValueError if orjson has to read it."""
        if type(value) is simdjson.Array and self._are_numbers(path, value):
            numbers = self.dialect.meant_by(_array(value, self.is_walked))
            return NumberLists(numbers, self.body, path, self.dialect.value)
        if not self.places.has_within(path):
            return _plain(value)
        if type(value) is simdjson.Array:
            self._check_count(len(value), self.places.has(path))
            return [self.at((*path, place), each) for place, each in enumerate(value)]
        if type(value) is simdjson.Object:
            fields = _items_of(value).items()
            return {name: self.at((*path, name), each) for name, each in fields}
        return value

    def _are_numbers(self, path: Path, value: simdjson.Array) -> bool:
        """Whether they are to be; objects may have them within."""
        if not self.places.has(path):
            return False
        return not (self.places.has_within(path) and _begins_with_object(value))

    def _check_count(self, count: int, are_objects: bool) -> None:
        most = len(self.body) // _WORTH_OBJECT_BYTES if are_objects else MOST_OBJECTS
        if count > min(most, MOST_OBJECTS):
            raise ValueError("many values that are no numbers, or in the wrong place")


def _begins_with_object(value: Any) -> bool:
    return len(value) > 0 and type(value[0]) is simdjson.Object


def _items_of(parsed: simdjson.Object) -> dict[str, Any]:
    # simdjson looks through all fields for each.
    if len(parsed) > _MOST_FIELDS:
        raise ValueError("too many fields")
    items = {name: parsed[name] for name in parsed}
    if len(items) != len(parsed):
        raise ValueError("a field sent twice, of which simdjson gives the first")
    return items


def _plain(value: Any) -> Any:
    if type(value) is simdjson.Array:
        return value.as_list()
    return value.as_dict() if type(value) is simdjson.Object else value


def _are_long(lists: int, text: bytes) -> bool:
    """Whether it takes less to go from list to list than through all of the text."""
    return lists * _LONG_LIST_BYTES <= len(text)


def _array(nested: Any, is_walked: bool) -> Array:
    """The numbers of nested lists. Raises ValueError for other things, as far as it is seen.

    ``is_walked``: whether all lists are looked at, or the first of each level; see ``_are_all``.
    """
    shape, first = _shape(nested) if is_walked else _shape_of_first(nested)
    array = _flat(nested, type(first) is int)
    if array.size != prod(shape):
        raise ValueError("lists of different lengths")
    return array.reshape(shape)


def array_in(text: bytes, dialect: Dialect) -> Array | None:
    """The numbers of the nested lists that ``text`` is, as NumberLists has them.

    None: these are lists of other things, or of different lengths.
    """
    text = dialect.plain(text)
    found = lists_at(text, 0, len(text))
    if found is not None and found.end == len(text):
        return dialect.meant_by(found.whole())
    lists = count_of(text, b"[")
    is_walked = _are_long(lists, text)
    try:
        array = read_parsed(text, partial(_array, is_walked=is_walked))
    except NO_NUMBERS:
        return None
    if lists != _lists_of(array.shape):
        return None  # there is a list among the numbers
    if not is_walked and _form(text) != _form_of(array.shape):
        return None
    return dialect.meant_by(array)


def _shape(nested: Any) -> tuple[tuple[int, ...], Any]:
    """How the lists are nested, and the first value. Raises ValueError if any is otherwise."""
    shape: tuple[int, ...] = ()
    level = [nested]
    while True:
        sizes = set(map(len, level))
        if len(sizes) > 1 or 0 in sizes:
            raise ValueError("lists of different lengths, or empty ones")
        shape += tuple(sizes)
        first = level[0][0]
        if type(first) is not simdjson.Array:
            return shape, first
        level = list(chain.from_iterable(level))
        if set(map(type, level)) != {simdjson.Array}:
            raise ValueError("a list beside something else")


def _shape_of_first(nested: Any) -> tuple[tuple[int, ...], Any]:
    """The same, as far as the first list of each level tells."""
    shape: list[int] = []
    while type(nested) is simdjson.Array:
        if not len(nested):
            raise ValueError("an empty list")
        shape.append(len(nested))
        nested = nested[0]
    return tuple(shape), nested


def _flat(nested: Any, is_integer: bool) -> Array:
    """The numbers in a row; raises an error if anything else is among them."""
    if is_integer:
        with suppress(ValueError, TypeError):  # a float, or an integer beyond int64
            return np.frombuffer(nested.as_buffer(of_type="i"), _INTEGERS)
    return np.frombuffer(nested.as_buffer(of_type="d"), _FLOATS)


def _are_all(lists: int, body: bytes, fields: dict[str, Any], is_walked: bool) -> bool:
    """Whether the lists of the body are those of the arrays and of the other fields.

    A list among the numbers of the last level would have been flattened with them; so would lists
    of different lengths, unless ``is_walked``.
    """
    arrays: list[Array] = []

    def left_out(numbers: NumberLists) -> None:
        arrays.append(numbers.array)

    others = orjson.dumps(fields, default=left_out).count(b"[")
    if lists != others + sum(_lists_of(array.shape) for array in arrays):
        return False
    # Now what is compared cannot be much longer than the body.
    return is_walked or _form(body) == _form(orjson.dumps(fields, default=_as_form))


def _as_form(numbers: NumberLists) -> orjson.Fragment:
    return orjson.Fragment(_form_of(numbers.array.shape))


def _form(text: bytes) -> bytes:
    """The brackets and commas of a text, which tell lists that hold something apart."""
    return text.translate(None, _OF_NO_FORM)


def _form_of(shape: tuple[int, ...]) -> bytes:
    """The same of nested lists of numbers."""
    form = b""
    for size in reversed(shape):
        form = b"[%b]" % ((form + b",") * size)[:-1]
    return form


def _lists_of(shape: tuple[int, ...]) -> int:
    return sum(prod(shape[:axis]) for axis in range(len(shape)))
