"""Contents: the values that a long infer message has beside raw inputs, counted and taken out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.settings.tables import Limits
from tfaas_core.values.pieces import bytes_of, joined_bytes, pieces
from tfaas_plugins.wire import Piece, field, fields

INPUT = 0x2A
"""The tag of an input."""

MOST_FIELDS = 1 << 14
"""Of a long message, beside those of its inputs."""

_INPUT_NUMBER = 5
_CONTENTS, _CONTENTS_NUMBER = 0x2A, 5
_STRING = 0x42
_PACKED = 2
_LEAST_FIELD_BYTES = 2
_MOST_OTHER_BYTES = 1 << 18
_VALUE_BYTES = {0x32: 4, 0x3A: 8}
"""Of packed values of fixed size, by the tag of their field; others end where a byte says so."""

_LONG_BYTES = 1 << 12


class Parted(msgspec.Struct, frozen=True):
    """A message without strings in its inputs, and these, by the input's place."""

    message: bytes
    strings: Mapping[int, Sequence[bytes]]


def without_strings(message: bytes, limits: Limits) -> Parted:
    """Takes strings out, so that protobuf makes no objects of them. Raises BadBody and TooLarge."""
    view, kept, strings = memoryview(message), list[Piece](), dict[int, list[bytes]]()
    at, begin, left, place = 0, 0, limits.max_values, -1
    for number, (tag, start, end) in enumerate(fields(message)):
        if number > MOST_FIELDS:
            raise BadBody(f"the message has more than {MOST_FIELDS} fields")
        place += tag == INPUT
        if tag == INPUT and end - start > _LONG_BYTES:
            others, found = _parted(message, start, end, left, limits)
            if found:
                strings[place] = found
                kept += (view[begin:at], *field(_INPUT_NUMBER, others))
                begin, left = end, left - len(found)
        at = end
    return Parted(joined_bytes([*kept, view[begin:]]) if kept else message, strings)


def _parted(
    message: bytes, start: int, end: int, most: int, limits: Limits
) -> tuple[list[Piece], list[bytes]]:
    """The fields of an input, and ``most`` strings that are in its contents."""
    view, others, strings = memoryview(message), list[Piece](), list[bytes]()
    at = start
    for tag, first, last in fields(message, start, end):
        if tag == _CONTENTS:
            numbers: list[Piece] = []
            before = first
            for inner, begin, stop in fields(message, first, last):
                if inner == _STRING:
                    strings.append(bytes_of(view[begin:stop]))
                    if len(strings) > most:
                        raise _too_many(limits)
                else:
                    numbers.append(view[before:stop])
                before = stop
            others += field(_CONTENTS_NUMBER, numbers)
        else:
            others.append(view[at:last])
        at = last
    return others, strings


def check_sizes(message: bytes, limits: Limits) -> None:
    """Raises TooLarge before there is an object for what a message holds too much of."""
    values = others = 0
    for tag, start, end in _tensor_fields(message):
        if tag is None:
            others += _LEAST_FIELD_BYTES + end - start
        else:
            values += _count(memoryview(message)[start:end], tag)
        if values > limits.max_values:
            raise _too_many(limits)
        if others > _MOST_OTHER_BYTES:
            raise TooLarge(
                f"the message has more than {_MOST_OTHER_BYTES} bytes beside the values of tensors",
                expected=_MOST_OTHER_BYTES,
            )


def _too_many(limits: Limits) -> TooLarge:
    return TooLarge(
        f"the message has more than {limits.max_values} values in contents "
        "(limits.max_values); send raw_input_contents, or fewer at a time",
        expected=limits.max_values,
    )


def _tensor_fields(message: bytes) -> Iterator[tuple[int | None, int, int]]:
    """Each field of contents, with its tag, and each other one, without."""
    for tag, start, end in fields(message):
        if tag != INPUT:
            yield None, start, end
            continue
        yield None, start, start
        for inner, first, last in fields(message, start, end):
            if inner == _CONTENTS:
                yield from fields(message, first, last)
            else:
                yield None, first, last


def _count(values: memoryview, tag: int) -> int:
    """How many a field of contents holds."""
    if tag & 7 != _PACKED or tag == _STRING:
        return 1
    if (size := _VALUE_BYTES.get(tag)) is not None:
        return len(values) // size + 1
    # The last byte of each is below 128.
    found = pieces(np.frombuffer(values, np.int8), _MOST_OTHER_BYTES)
    return sum(int(np.count_nonzero(part >= 0)) for part in found) + 1
