"""The msgpack codec: the document of the JSON codec as MessagePack, arrays packed or as lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from tfaas_core.codec import Codec, Encoded
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.short_predictions import PlansUsual
from tfaas_core.route import Head
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, Arrays, Bound
from tfaas_core.values.answers import answer_in_kind, are_too_large
from tfaas_core.values.bindings import Bindings
from tfaas_plugins.codecs.msgpack.document import MsgpackDocument, read_document
from tfaas_plugins.codecs.msgpack.lists import lists
from tfaas_plugins.codecs.msgpack.numbers import usual_array
from tfaas_plugins.codecs.msgpack.packed import packed
from tfaas_plugins.codecs.msgpack.packed_body import read_packed_body
from tfaas_plugins.codecs.msgpack.pieces import dumped, dumping
from tfaas_plugins.codecs.msgpack.values import MsgpackReader
from tfaas_plugins.codecs.values.binding import Binding
from tfaas_plugins.codecs.values.usual import (
    UsualBodies,
    UsualBody,
    UsualNumbers,
    UsualRow,
    UsualRows,
)

_ROW = msgspec.msgpack.Decoder(UsualRow).decode
_ROWS = msgspec.msgpack.Decoder(UsualRows).decode
_NESTED = re.compile(rb"\xa6values(?:[\x90-\x9f]|\xdc..|\xdd.{4})[\x90-\x9f\xdc\xdd]", re.DOTALL)
_FIRST_BYTES = 64


class MsgpackCodec(Codec[MsgpackDocument], PlansUsual[UsualBody]):
    """MessagePack in, MessagePack out."""

    name = "msgpack"
    media_types = ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack")
    answer_types = media_types

    def __init__(self, limits: Limits | None = None) -> None:
        """``limits``: what a body may hold; left out: as much as unless configured otherwise."""
        self._limits = limits or Limits()
        self._bindings = Bindings(partial(Binding, make_reader=MsgpackReader))
        self._usual = UsualBodies(_ROW, _ROWS, self._limits)

    def parse(self, body: bytes, head: Head) -> MsgpackDocument:
        """Reads the body, whatever its media type; raises BadBody, DoesNotFit and TooLarge."""
        return read_document(body, self._limits)

    def parse_at_once(self, body: bytes, head: Head) -> MsgpackDocument | None:
        """Reads packed arrays."""
        return read_packed_body(body, self._limits)

    def bind(self, document: MsgpackDocument, version: ModelVersion) -> Bound:
        """The arrays of one row or of a batch, whichever the nesting or the shape shows."""
        return self._bindings.of(version).bind(document)

    def encode(
        self, outputs: Arrays, bound: Bound, document: MsgpackDocument, version: ModelVersion
    ) -> Encoded:
        """Lists for one row, or for a batch; packed if the request was; several by name."""
        return _encoded(outputs, bound, version, packed if document.packed else lists)

    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        """Lists."""
        return _encoded(outputs, bound, version, lists)

    def usual(self, body: bytes, head: Head) -> UsualBody | None:
        is_nested = _NESTED.search(body, 0, _FIRST_BYTES) is not None
        if is_nested and (found := usual_array(body, self._limits)) is not None:
            return found
        usual = self._usual.read(body, is_nested)
        return None if usual is None or not usual.are_finite() else usual

    def usual_plan(self, version: ModelVersion) -> UsualNumbers | None:
        return UsualNumbers.of(self, version, _written)


def _written(output: Array) -> bytes:
    return dumped(lists(output))


def _encoded(
    outputs: Arrays, bound: Bound, version: ModelVersion, show: Callable[[Array], Any]
) -> Encoded:
    shown = answer_in_kind(outputs, bound, version, show)
    if are_too_large(outputs):
        return Encoded(b"", MsgpackCodec.media_types[0], pieces=dumping(shown))
    return Encoded(dumped(shown), MsgpackCodec.media_types[0])
