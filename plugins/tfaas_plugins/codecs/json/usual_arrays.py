"""Usual bodies of many numbers, read without an object for each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import simdjson

from tfaas_core.settings.tables import Limits
from tfaas_plugins.codecs.json.numbers import NO_NUMBERS
from tfaas_plugins.codecs.values.bounds import count_of
from tfaas_plugins.codecs.values.usual import UsualArray

MOST_BYTES = 1 << 16
"""A parser keeps several times as much memory as its longest text has bytes."""

_FIELDS = {"values"}, {"values", "model"}


class UsualArrays:
    """Reads them with a parser that is kept, since a new one takes longer than to use it."""

    def __init__(self, limits: Limits) -> None:
        self._parser = simdjson.Parser()
        # So many bytes can hold no more than is allowed.
        least = limits.max_values, limits.max_lists, limits.max_json_bytes, MOST_BYTES
        self._most_bytes = min(least)

    def read(self, body: bytes) -> UsualArray | None:
        """What ``body`` says, if its values are lists of floats; None: it is not as usual."""
        # Escapes could hide brackets.
        if len(body) > self._most_bytes or b"\\" in body:
            return None
        try:
            return self._read(body)
        except NO_NUMBERS:
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
        rows, lengths = len(nested), set(map(len, lists))
        if len(lengths) != 1 or count_of(body, b"[") != 1 + rows + (model or "").count("["):
            return None
        flat, length = np.frombuffer(nested.as_buffer(of_type="d")), lengths.pop()
        return None if flat.size != rows * length else UsualArray(flat.reshape(rows, length), model)
