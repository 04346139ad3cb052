"""Lists of numbers in a JSON body, read into arrays without a Python object for each number."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from math import prod
from typing import Any, TypeAlias

import msgspec
import numpy as np
import orjson
import simdjson

from tfaas_core.tensors import Array

_WORTH_NUMBERS = 1000
_WORTH_LIST_BYTES = 64
"""Fewer numbers, and shorter lists, are read sooner by orjson."""

SMALLEST_BYTES = 1 << 12
"""A shorter body is read sooner by orjson, whatever is in it."""

_SAMPLE_BYTES = 1 << 8
_MOST_FIELDS = 64

ReadFields: TypeAlias = Callable[[simdjson.Object, bytes], dict[str, Any]]

_INTEGERS = np.dtype(np.int64)
_FLOATS = np.dtype(np.float64)


class NumberLists(msgspec.Struct, frozen=True):
    """Nested lists of nothing but numbers, as many in each list of a level.

    ``array`` is int64 if all of them are integers of that range, else float64.
    """

    array: Array
    body: bytes
    path: tuple[str | int, ...]

    def lists(self) -> Any:
        """The lists themselves, as orjson reads them."""
        found: Any = orjson.loads(self.body)
        for field in self.path:
            found = found[field]
        return found


def read_fields(body: bytes) -> dict[str, Any] | None:
    """The fields of a JSON object, with NumberLists for its values, or for its inputs.

    None as for ``read_with_numbers``.
    """
    return read_with_numbers(body, _fields)


def read_with_numbers(body: bytes, read: ReadFields) -> dict[str, Any] | None:
    """What ``read`` makes of a JSON object: fields, some of them by ``number_lists``.

    None if orjson reads the body sooner, or if the body is anything else than an object with
    such lists: what it is instead, orjson tells.
    """
    # Escapes could hide brackets: see _are_all.
    if not _is_worth_it(body) or b"\\" in body:
        return None
    try:
        parsed = simdjson.Parser().parse(body)
        if type(parsed) is not simdjson.Object:
            return None
        fields = read(parsed, body)
        return fields if _are_all(body.count(b"["), fields) else None
    except (ValueError, TypeError, RuntimeError, MemoryError):
        return None


def _is_worth_it(body: bytes) -> bool:
    """Whether there seem to be many numbers in long lists, by how the body begins."""
    if len(body) < SMALLEST_BYTES:
        return False
    numbers = body.count(b",", 0, _SAMPLE_BYTES) * len(body) // _SAMPLE_BYTES
    if numbers < _WORTH_NUMBERS:
        return False
    return body.count(b"[", 0, _SAMPLE_BYTES) * _WORTH_LIST_BYTES <= _SAMPLE_BYTES


def _fields(parsed: Any, body: bytes) -> dict[str, Any]:
    fields = items_of(parsed)
    for name, value in fields.items():
        if name in ("values", "value"):
            fields[name] = number_lists(value, body, (name,))
        elif name == "inputs" and type(value) is simdjson.Object:
            inputs = items_of(value)
            fields[name] = {key: number_lists(inputs[key], body, (name, key)) for key in inputs}
        else:
            fields[name] = plain(value)
    return fields


def items_of(parsed: simdjson.Object) -> dict[str, Any]:
    """The fields of an object, as simdjson has them. Raises ValueError if orjson has to read it."""
    # simdjson looks through all fields for each.
    if len(parsed) > _MOST_FIELDS:
        raise ValueError("too many fields")
    items = {name: parsed[name] for name in parsed}
    if len(items) != len(parsed):
        raise ValueError("a field sent twice, of which simdjson gives the first")
    return items


def plain(value: Any) -> Any:
    """What simdjson has, as Python has it."""
    if type(value) is simdjson.Array:
        return value.as_list()
    return value.as_dict() if type(value) is simdjson.Object else value


def number_lists(value: Any, body: bytes, path: tuple[str | int, ...]) -> Any:
    """NumberLists for a list, which is at ``path``. Raises ValueError for lists of other things."""
    if type(value) is not simdjson.Array:
        return plain(value)
    shape, first = _shape(value)
    array = _flat(value, type(first) is int)
    if array.size != prod(shape):
        raise ValueError("lists of different lengths")
    return NumberLists(array.reshape(shape), body, path)


def _shape(nested: Any) -> tuple[tuple[int, ...], Any]:
    """How the lists are nested, as far as the first of each level tells, and the first value."""
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


def _flat(nested: Any, is_integer: bool) -> Array:
    """The numbers in a row; raises an error if anything else is among them."""
    if is_integer:
        with suppress(ValueError, TypeError):  # a float, or an integer beyond int64
            return np.frombuffer(nested.as_buffer(of_type="i"), _INTEGERS)
    return np.frombuffer(nested.as_buffer(of_type="d"), _FLOATS)


def _are_all(lists: int, fields: dict[str, Any]) -> bool:
    """Whether the body's ``[`` are those of the arrays and of the other fields, and no others.

    A list among the numbers of the last level would have been flattened with them.
    """
    arrays: list[Array] = []

    def left_out(numbers: NumberLists) -> None:
        arrays.append(numbers.array)

    others = orjson.dumps(fields, default=left_out).count(b"[")
    return lists == others + sum(_lists_of(array.shape) for array in arrays)


def _lists_of(shape: tuple[int, ...]) -> int:
    return sum(prod(shape[:axis]) for axis in range(len(shape)))
