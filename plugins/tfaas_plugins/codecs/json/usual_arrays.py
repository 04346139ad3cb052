"""Usual bodies of many numbers, read without an object for each of them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np
import simdjson

from tfaas_core.settings.tables import Limits
from tfaas_core.texts.unreadable import UNREADABLE
from tfaas_plugins.codecs.json.compiled import lists_at
from tfaas_plugins.codecs.json.numbers import NO_NUMBERS
from tfaas_plugins.codecs.values.bounds import count_of
from tfaas_plugins.codecs.values.usual import MOST_ARRAY_BYTES, MOST_ROWS, UsualArray

_FIELDS = {"values"}, {"values", "model"}
_MOST_NAMED = 1 << 10
_OTHERS = _MOST_NAMED + 8
"""As many lists and values may be counted beside the rows: whatever stands in a text is."""


_FIRST_BYTES = 64
"""So far from the beginning, the lists begin."""

_IN_PLACE = b'""'
"""What is read in the place of lists. Within a string, it would end that too soon."""


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a usual body says beside its lists."""

    values: Literal[""]
    model: str | None = None


_said = msgspec.json.Decoder(_Said).decode


class UsualArrays:
    """Reads them with a parser that is kept, since a new one takes longer than to use it.

    It keeps several times as much memory as its longest text has bytes.
    """

    def __init__(self, limits: Limits) -> None:
        self._parser = simdjson.Parser()
        self._most_bytes = min(limits.max_json_bytes, MOST_ARRAY_BYTES)
        self._most_rows = min(MOST_ROWS, limits.max_lists - _OTHERS)
        self._most_numbers = limits.max_values - _OTHERS

    def read(self, body: bytes) -> UsualArray | None:
        """What ``body`` says, if its values are lists of floats; None: it is not as usual."""
        # Escapes could hide brackets.
        if len(body) > self._most_bytes or b"\\" in body:
            return None
        if (read := self._read_at_once(body)) is not None:
            return read
        try:
            return self._read(body)
        except NO_NUMBERS:
            return None

    def _read_at_once(self, body: bytes) -> UsualArray | None:
        begin = body.find(b"[[", 0, _FIRST_BYTES)
        lists = None if begin < 0 else lists_at(body, begin, self._most_numbers)
        if lists is None or lists.array.ndim != 2 or len(lists.array) > self._most_rows:
            return None
        others = body[:begin] + _IN_PLACE + body[lists.end :]
        # Of a field sent twice, msgspec gives the last.
        if len(others) > _MOST_NAMED or others.count(b'"values"') != 1:
            return None
        try:
            return UsualArray(lists.array, _said(others).model)
        except UNREADABLE:
            return None

    def _read(self, body: bytes) -> UsualArray | None:
        parsed = self._parser.parse(body)
        # Of a field sent twice, simdjson gives the first; but then there is one more.
        if type(parsed) is not simdjson.Object or len(parsed) > len(_FIELDS):
            return None
        names = set(parsed)
        if names not in _FIELDS or len(names) != len(parsed):
            return None
        nested, model = parsed["values"], parsed.get("model")
        if type(nested) is not simdjson.Array or not (model is None or type(model) is str):
            return None
        # A list among the numbers would have been flattened with them.
        lists: Any = nested
        rows, named = len(nested), model or ""
        if len(named) > _MOST_NAMED or rows > self._most_rows:
            return None
        lengths = set(map(len, lists))
        if len(lengths) != 1 or count_of(body, b"[") != 1 + rows + named.count("["):
            return None
        flat, length = np.frombuffer(nested.as_buffer(of_type="d")), lengths.pop()
        if flat.size != rows * length or flat.size > self._most_numbers:
            return None
        return UsualArray(flat.reshape(rows, length), model)
