"""Prepared infer requests over REST: those whose numbers are a list, or binary tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from tfaas_core.predict.target import Target
from tfaas_core.route import Response
from tfaas_core.tensors import Array, Signature
from tfaas_core.texts.unreadable import UNREADABLE
from tfaas_plugins.codecs.values.leaves import Numbers
from tfaas_plugins.protocols.oip.datatypes import is_plain
from tfaas_plugins.protocols.oip.infer.requests import InferBody, input_name
from tfaas_plugins.protocols.oip.infer.usual_body import UsualBody
from tfaas_plugins.protocols.prepared import (
    MOST_TEXT_BYTES,
    Inputs,
    InputsOf,
    Kept,
    Prepared,
    raw_inputs,
)
from tfaas_plugins.protocols.vectors import Vectors

_DATA = b'"data"'
_OPENS = re.compile(rb'"data"[ \t\r\n]*:[ \t\r\n]*\Z')
_LIST = msgspec.json.Decoder(list[int | float])


class PreparedBinary:
    """Those with binary tensors, by the JSON before them."""

    def __init__(self) -> None:
        self._kept: Kept[Response] = Kept()

    def of(self, path: str, text: bytes) -> Prepared[Response] | None:
        """What was asked at ``path`` by ``text``; None: it has not been kept."""
        return self._kept.of((path, text))

    def keep(self, path: str, text: bytes, target: Target, body: InferBody) -> None:
        """Takes note of a request, if it is one that comes again."""
        if len(path) + len(text) > MOST_TEXT_BYTES or body.id is not None:
            return
        if (inputs_of := binary_inputs(len(text), body)) is not None:
            self._kept.keep((path, text), Prepared(target, inputs_of))


def binary_inputs(text_bytes: int, body: InferBody) -> InputsOf | None:
    """Where they are, behind so many bytes; None: not all are plain bytes of numbers."""
    if len(body.tails) != len(body.inputs):
        return None
    if not all(is_plain(each.get("datatype")) for each in body.inputs):
        return None
    places, at = {}, text_bytes
    for place, each in enumerate(body.inputs):
        places[input_name(each)] = at
        at += len(body.tails[place])
    return raw_inputs(at, places)


class PreparedLists:
    """Those whose one input is a list of numbers, by the JSON before and behind it."""

    def __init__(self) -> None:
        self._kept: Kept[Response] = Kept()

    def of(self, path: str, body: bytes) -> Prepared[Response] | None:
        """What was asked at ``path`` by ``body``, but for the list; None: it has not been kept."""
        return self._kept.of((path, *_around(body)))

    def keep(self, path: str, body: bytes, target: Target, usual: UsualBody) -> None:
        """Takes note of a request, if it is one that comes again."""
        before, behind = _around(body)
        if len(usual.inputs) != 1 or usual.id is not None:
            return
        if len(path) + len(before) + len(behind) > MOST_TEXT_BYTES:
            return
        # Another list in its place makes the same request, if no other is called so, however spelt.
        if _DATA in behind or b"\\" in before + behind or not _OPENS.search(before):
            return
        inputs_of = _listed(usual.inputs[0].name, len(before), len(behind))
        self._kept.keep((path, before, behind), Prepared(target, inputs_of))


def _around(body: bytes) -> tuple[bytes, bytes]:
    """What stands before the first list of data, and behind it, if there is one."""
    begin = body.find(b"[", body.find(_DATA) + len(_DATA))
    return body[:begin], body[body.find(b"]", begin) + 1 :]


def _listed(name: str, before: int, behind: int) -> InputsOf:
    """The one input, which is a list between so many bytes."""

    def of(signature: Signature, arrays: Mapping[str, Array]) -> Inputs | None:
        specs = signature.inputs
        if [spec.name for spec in specs] != [name] or Vectors.of(specs[0]) is None:
            return None
        return ListedInput(arrays[name], before, behind)

    return of


class ListedInput:
    """An input like ``array`` whose numbers are a list, between so many bytes."""

    def __init__(self, array: Array, before: int, behind: int) -> None:
        self._shape, self._size = array.shape, array.size
        self._numbers = Numbers(array.dtype)
        self._before, self._behind = before, behind

    def __call__(self, body: bytes) -> list[Array] | None:
        try:
            values = _LIST.decode(body[self._before : len(body) - self._behind])
        except (*UNREADABLE, ValueError):
            return None
        if len(values) != self._size:
            return None
        array = self._numbers.filled(values, self._shape, booleans=False)
        return None if array is None else [array]
