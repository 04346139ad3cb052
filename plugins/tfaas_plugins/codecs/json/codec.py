"""The JSON codec: ``{"values": [...], "model": "vk"}`` to arrays, and outputs to lists."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

import msgspec
import numpy as np

from tfaas_core.codec import Codec, Encoded
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.operation import object_of
from tfaas_core.predict.short_predictions import PlansUsual
from tfaas_core.route import Head
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, Arrays, Bound
from tfaas_core.values.answers import answer_in_kind, are_too_large
from tfaas_core.values.bindings import Bindings
from tfaas_plugins.codecs.json.document import JsonDocument, read_document
from tfaas_plugins.codecs.json.pieces import MOST_AT_ONCE, Pieces, dumped, dumping, in_pieces
from tfaas_plugins.codecs.json.usual_arrays import UsualArrays
from tfaas_plugins.codecs.json.values import JsonReader
from tfaas_plugins.codecs.values.binding import Binding
from tfaas_plugins.codecs.values.bounds import check_json
from tfaas_plugins.codecs.values.usual import (
    UsualBodies,
    UsualBody,
    UsualNumbers,
    UsualRow,
    UsualRows,
)

_WRITTEN_BY_ORJSON = frozenset(
    np.dtype(name)
    for name in (
        *("float32", "float64", "bool", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64"),
    )
)


_ROW = msgspec.json.Decoder(UsualRow).decode
_ROWS = msgspec.json.Decoder(UsualRows).decode
_FIRST_BYTES = 64
_WORTH_ARRAY_BYTES = 1 << 10
"""Shorter ones are read sooner with an object for each number."""


class JsonCodec(Codec[JsonDocument], PlansUsual[UsualBody]):
    """JSON in, JSON out."""

    name = "json"
    media_types = ("application/json",)
    body_schema = object_of(model="string")

    def __init__(self, limits: Limits | None = None) -> None:
        """``limits``: what a body may hold; left out: as much as unless configured otherwise."""
        self._limits = limits or Limits()
        self._bindings = Bindings(partial(Binding, make_reader=JsonReader))
        self._usual = UsualBodies(_ROW, _ROWS, self._limits)
        self._arrays = UsualArrays(self._limits)

    def parse(self, body: bytes, head: Head) -> JsonDocument:
        """Reads the body, whatever its media type; raises BadBody, DoesNotFit and TooLarge."""
        check_json(body, self._limits)
        return read_document(body)

    def bind(self, document: JsonDocument, version: ModelVersion) -> Bound:
        """The arrays of one row or of a batch, whichever the depth of nesting shows.

        Raises DoesNotFit, and BadBody for a NaN by that name, if the model does not accept it.
        """
        if document.nan is not None and not Params.of(version.params).accepts_nan:
            raise document.nan
        return self._bindings.of(version).bind(document)

    def encode(
        self, outputs: Arrays, bound: Bound, document: JsonDocument, version: ModelVersion
    ) -> Encoded:
        """Lists for one row, or for a batch; several outputs by name."""
        return self.encode_other(outputs, bound, version)

    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        """The same, whatever the request was."""
        shown = answer_in_kind(outputs, bound, version, _shown)
        if are_too_large(outputs):
            return Encoded(b"", "application/json", pieces=dumping(shown))
        return Encoded(dumped(shown), "application/json")

    def usual(self, body: bytes, head: Head) -> UsualBody | None:
        is_nested = body.find(b"[[", 0, _FIRST_BYTES) > 0
        if is_nested and len(body) >= _WORTH_ARRAY_BYTES:
            return self._arrays.read(body)
        return self._usual.read(body, is_nested)

    def usual_plan(self, version: ModelVersion) -> UsualNumbers | None:
        dtype = version.signature.outputs[0].numpy_dtype
        write = dumped if dtype in _WRITTEN_BY_ORJSON else None
        return UsualNumbers.of(self, version, write, _rows)


def _rows(array: Array) -> list[bytes]:
    """Each row of an array of two axes."""
    return [b"[%b]" % row for row in dumped(array)[2:-2].split(b"],[")]


def _shown(array: Array) -> Any:
    if array.size > MOST_AT_ONCE:
        return Pieces(in_pieces(array, _piece))
    return _plain(array)


def _piece(array: Array) -> bytes:
    return dumped(_plain(array))


def _plain(array: Array) -> Any:
    return array if array.dtype in _WRITTEN_BY_ORJSON else _writable(array)


def _writable(array: Array) -> Any:
    """What orjson writes for an array that it does not write itself, or not as we want it."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "c":
        return array.view(array.real.dtype).reshape(*array.shape, 2)
    if array.dtype == np.float16:
        return _with_shortest_digits(array)
    if array.dtype == object:
        return _with_texts(array)
    return array


def _with_shortest_digits(array: Array) -> Array:
    # orjson would write a float16 with the digits of a float32. By their bits, -0.0 is not 0.0.
    bits, places = np.unique(array.view(np.uint16), return_inverse=True)
    shortest = bits.view(np.float16).astype(np.str_).astype(np.float64)
    return shortest[places].reshape(array.shape)


def _with_texts(array: Array) -> Any:
    texts = np.empty(array.size, object)
    texts[:] = [_text(value) for value in array.flat]
    return texts.reshape(array.shape).tolist()


def _text(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}
