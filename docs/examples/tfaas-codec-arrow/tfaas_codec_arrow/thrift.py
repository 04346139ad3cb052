"""Thrift's compact protocol, as far as Parquet has it."""

from __future__ import annotations

from typing import Any

_DEEPEST = 16
_LONGEST_BITS = 70
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _STRUCT = 1, 2, 3, 7, 8, 9, 12
_INTEGERS = (4, 5, 6)

Fields = dict[int, Any]
"""A struct: integers, lists and structs by the numbers of their fields; None for all else."""


def read_struct(body: bytes, at: int, depth: int = 0) -> tuple[Fields, int]:
    """The struct at a byte, and where it ends; raises ValueError and IndexError."""
    fields: Fields = {}
    number = 0
    while kind := body[at] & 0x0F:
        step = body[at] >> 4
        at += 1
        if step:
            number += step
        else:
            number, at = _integer(body, at)
        if kind in (_TRUE, _FALSE):
            fields[number] = None
        else:
            fields[number], at = _value(body, at, kind, depth)
    return fields, at + 1


def size_in(fields: Fields, number: int) -> int:
    """The size that a field has; raises ValueError if it has none, or a negative one."""
    size = fields.get(number)
    if type(size) is int and size >= 0:
        return size
    raise ValueError("a size in it is missing or negative")


def structs_in(fields: Fields, number: int) -> list[Fields]:
    """The structs that a field lists; raises ValueError if it lists none such."""
    listed = fields.get(number)
    if type(listed) is list and all(type(each) is dict for each in listed):
        return listed
    raise ValueError("a list in it is missing or of something else")


def _value(body: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in _INTEGERS:
        return _integer(body, at)
    if kind == _BINARY:
        length, at = _varint(body, at)
        return None, at + length
    if kind in (_TRUE, _FALSE, _BYTE, _DOUBLE):
        return None, at + (8 if kind == _DOUBLE else 1)
    if depth < _DEEPEST and kind in (_STRUCT, _LIST):
        return (read_struct if kind == _STRUCT else _list)(body, at, depth + 1)
    raise ValueError("it has a value of an unknown type")


def _list(body: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    size, kind = body[at] >> 4, body[at] & 0x0F
    at += 1
    if size == 0x0F:
        size, at = _varint(body, at)
    values = []
    for _ in range(size):
        value, at = _value(body, at, kind, depth)
        values.append(value)
    return values, at


def _integer(body: bytes, at: int) -> tuple[int, int]:
    number, at = _varint(body, at)
    return (number >> 1) ^ -(number & 1), at


def _varint(body: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, _LONGEST_BITS, 7):
        number |= (body[at] & 0x7F) << shift
        at += 1
        if body[at - 1] < 0x80:
            return number, at
    raise ValueError("an integer in it is too long")
