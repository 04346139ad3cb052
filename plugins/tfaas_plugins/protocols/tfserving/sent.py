"""Sent: a tensor as a TensorProto has it, read from the wire, and held to what it claims to be."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tfaas_core.errors import BadBody
from tfaas_core.tensors import Array
from tfaas_core.values.pieces import bytes_of, joined_bytes
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.bfloat16 import from_bits
from tfaas_plugins.protocols.packed import count, unpacked
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.protocols.shapes import elements_of
from tfaas_plugins.protocols.tfserving.dtypes import (
    BY_NUMBER,
    FIRST_REFERENCE,
    VALUES_FIELDS,
    Dtype,
    ValuesField,
    dtype_name,
)
from tfaas_plugins.wire import FIXED32, FIXED64, LENGTH, VARINT, Piece, fields, tag_of, varint_at

MOST_HEAD_BYTES = 1 << 16
"""Of what says which model, or of a name or a shape: no honest one has so many."""

CONTENT = tag_of(4, LENGTH)
"""The tag of ``tensor_content``."""

_SMALL_BYTES = 64
_BITS = 1 << 16
_MORE = 0x80
_SIZES = {FIXED32: 4, FIXED64: 8}
_DTYPE = tag_of(1, VARINT)
_SHAPE = tag_of(2, LENGTH)
_STRING = tag_of(8, LENGTH)
_NUMBERS = {
    tag_of(field.number, kind): field
    for field in VALUES_FIELDS.values()
    for kind in {field.kind, LENGTH}
    if field.kind != LENGTH
}


class Claim(msgspec.Struct, frozen=True):
    """What a tensor says that it is; whether its values are so many is another thing."""

    dtype: Dtype
    shape: tuple[int, ...]
    elements: int


class SentTensor:
    """What was read of it. Values that are not in a field of its dtype's count as none.

    Where there are fewer values than its shape has elements, the last one stands for the rest, and
    0 if there is none, as TensorFlow has it. Each BadBody says which input it is.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._claim: Claim | None = None
        self._dtype = 0
        self._shape: list[bytes] = []
        self._content: Piece = b""
        self._numbers: dict[int, list[Piece]] = {}
        self._strings: list[bytes] = []

    def read(self, body: bytes, at: int, end: int, allowance: Allowance) -> None:
        """Reads a TensorProto, or a further piece of it. Raises BadBody, TooLarge."""
        view = memoryview(body)
        for tag, start, stop in fields(body, at, end):
            allowance.take(1, "its fields")
            if tag == _STRING:
                self._strings.append(bytes_of(view[start:stop]))
            elif tag == CONTENT:
                self._content = view[start:stop]
            elif tag == _DTYPE:
                self._dtype = varint_at(body, start)[0]
            elif tag == _SHAPE:
                self._shape.append(body[start : min(stop, start + MOST_HEAD_BYTES + 1)])
            elif (field := _NUMBERS.get(tag)) is not None:
                small = stop - start <= _SMALL_BYTES
                piece = body[start:stop] if small else view[start:stop]
                self._check_whole(piece, field)
                self._numbers.setdefault(field.number, []).append(piece)

    def _check_whole(self, piece: Piece, field: ValuesField) -> None:
        size = _SIZES.get(field.kind)
        is_whole = not len(piece) or piece[-1] < _MORE if size is None else not len(piece) % size
        if not is_whole:
            raise self._wrong(f"its {field.name} has a part of a value at its end")

    @property
    def claim(self) -> Claim:
        """What it says that it is. Raises BadBody for what nothing is, and what is not served."""
        if self._claim is None:
            self._claim = self._read_claim()
        return self._claim

    @property
    def array_bytes(self) -> int:
        """Of such an array, and of strings that stand for others. Raises as ``claim``."""
        claim, sent = self.claim, self._strings
        size = claim.elements * claim.dtype.array.itemsize
        if not claim.dtype.is_string or not sent:
            return size
        return size + max(0, claim.elements - len(sent)) * len(sent[-1])

    @property
    def plain_bytes(self) -> int:
        """Of its values, if ``tensor_content`` has them as an array has; 0: it has not."""
        dtype = self.claim.dtype
        is_plain = not dtype.is_string and dtype.item == dtype.array and dtype.array != np.bool_
        return len(self._content) if is_plain else 0

    def _read_claim(self) -> Claim:
        number = self._dtype - FIRST_REFERENCE if self._dtype > FIRST_REFERENCE else self._dtype
        dtype = BY_NUMBER.get(number)
        if dtype is None:
            raise self._wrong(f"{dtype_name(self._dtype)} is not served")
        shape = self._read_shape()
        elements = elements_of(shape, f"tensor parsing error: the shape of {self.name[:140]!r}")
        return Claim(dtype, shape, elements)

    def _read_shape(self) -> tuple[int, ...]:
        if sum(map(len, self._shape)) > MOST_HEAD_BYTES:
            raise self._wrong(f"its tensor_shape has more than {MOST_HEAD_BYTES} bytes")
        shape = message_class("tensorflow.TensorShapeProto")()
        try:
            for piece in self._shape:
                shape.MergeFromString(piece)
        except DecodeError:
            raise self._wrong("its tensor_shape is broken") from None
        sizes = tuple([dim.size for dim in shape.dim])
        if shape.unknown_rank and sizes:
            raise self._wrong("its tensor_shape has sizes, and an unknown rank")
        return sizes

    def array(self, allowance: Allowance) -> Array:
        """The tensor, whose numbers are a view of the body where they can be.

        Strings are taken from the allowance, which raises TooLarge.
        """
        claim = self.claim
        dtype, elements = claim.dtype, claim.elements
        if dtype.is_string:
            allowance.take(elements, "its strings")
        if not len(self._content):
            array = self._filled(self._values(claim), claim)
        elif dtype.is_string:
            array = self._content_strings(elements)
        elif len(self._content) == elements * dtype.item.itemsize:
            array = _native(np.frombuffer(self._content, dtype.item), dtype)
        else:
            raise self._wrong(
                f"tensor_content has {len(self._content)} bytes, {dtype.name} of its shape "
                f"{list(claim.shape)} has {elements * dtype.item.itemsize}"
            )
        return array.reshape(claim.shape)

    def _values(self, claim: Claim) -> Array:
        """Those in the dtype's field, of one axis; no more than there are elements."""
        dtype, field = claim.dtype, claim.dtype.field
        if dtype.is_string:
            self._check_count(len(self._strings), claim)
            values: Array = np.empty(len(self._strings), object)
            values[:] = self._strings
            return values
        pieces = self._numbers.get(field.number, [])
        data = pieces[0] if len(pieces) == 1 else joined_bytes(pieces)
        if field.kind == VARINT:
            self._check_count(count(data), claim)
            return unpacked(data, dtype.array, lambda step: self._cast(step, dtype))
        if len(data) % dtype.item.itemsize:
            raise self._wrong(f"its {field.name} has one half of a number at its end")
        self._check_count(len(data) // dtype.item.itemsize, claim)
        return _native(np.frombuffer(data, dtype.item), dtype)

    def _check_count(self, values: int, claim: Claim) -> None:
        if values > claim.elements:
            raise self._wrong(
                f"its {claim.dtype.field.name} has {values} values, its shape "
                f"{list(claim.shape)} has {claim.elements} elements"
            )

    def _cast(self, values: Array, dtype: Dtype) -> Array:
        """int64 values as their field holds them, and then as the dtype does."""
        field, array = dtype.field.name, dtype.array
        if field == "bool_val":
            return np.not_equal(values, 0)
        if field not in ("int_val", "half_val"):
            return values.astype(array)
        narrow = values.astype(np.int32)
        low, high = (0, _BITS - 1) if field == "half_val" else _range_of(array)
        wrong = narrow[(narrow < low) | (narrow > high)]
        if len(wrong):
            raise self._wrong(f"{dtype.name} does not hold {wrong[0]}, which is in its {field}")
        if field == "int_val":
            return narrow.astype(array)
        bits = narrow.astype(np.uint16)
        return from_bits(bits) if dtype.is_bfloat16 else bits.view(np.float16)

    def _filled(self, values: Array, claim: Claim) -> Array:
        dtype, elements = claim.dtype, claim.elements
        if len(values) == elements:
            return values
        if not len(values):
            self._check_other_fields(dtype)
            zero = b"" if dtype.is_string else dtype.array.type()
            return np.full(elements, zero, dtype.array)
        filled = np.empty(elements, dtype.array)
        filled[: len(values)] = values
        filled[len(values) :] = values[-1]
        return filled

    def _check_other_fields(self, dtype: Dtype) -> None:
        """Values in the field of another dtype are a mistake, and not so many zeros."""
        filled = [number for number, pieces in self._numbers.items() if any(map(len, pieces))]
        others = [VALUES_FIELDS[number].name for number in filled]
        others += ["string_val"] if self._strings else []
        if others:
            raise self._wrong(
                f"its values are in {others[0]}, those of {dtype.name} go into {dtype.field.name}"
            )

    def _content_strings(self, elements: int) -> Array:
        """The lengths of all, and then all: as TensorFlow writes them, if it is asked to."""
        content = memoryview(self._content)
        sizes, at = [], 0
        try:
            for _ in range(elements):
                size, at = varint_at(content, at)
                sizes.append(size)
        except IndexError:
            at = len(content) + 1
        if at + sum(sizes) != len(content):
            raise self._wrong(f"tensor_content does not hold {elements} strings")
        strings = np.empty(elements, object)
        for index, size in enumerate(sizes):
            strings[index] = bytes_of(content[at : at + size])
            at += size
        return strings

    def _wrong(self, what: str) -> BadBody:
        return BadBody(f"tensor parsing error: {self.name[:140]!r}: {what}")


def _native(items: Array, dtype: Dtype) -> Array:
    """What ``tensor_content`` and fields of fixed size hold, in the machine's byte order."""
    if dtype.is_bfloat16:
        return from_bits(items)
    if dtype.array == np.bool_:
        # A byte that is neither 0 nor 1 is no bool for those who compute with it.
        return np.not_equal(items.view(np.uint8), 0)
    return items if items.dtype.isnative else items.astype(dtype.array)


def _range_of(dtype: np.dtype[Any]) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)
