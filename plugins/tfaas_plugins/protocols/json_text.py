"""JSON with NaN and Infinity as bare tokens, as TensorFlow Serving and Triton read and write it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson

from tfaas_core.errors import BadBody
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array
from tfaas_plugins.codecs.values.bounds import check_json

_DEEPEST = 128
_DEEP = b"[" * _DEEPEST
_MOST_DIGITS = 400
"""Of a whole number; what has more is too large for any dtype."""

_TOKENS = (b"NaN", b"Inf")
_FLOATS = "fc"
_FIRST = {"Inf": "Infinity", "-Inf": "-Infinity"}


class NotJson(BadBody):
    """The body is no JSON; ``offset`` is where, in bytes or characters."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


def read(body: bytes, limits: Limits) -> Any:
    """The value that ``body`` spells. Raises NotJson, and TooLarge beyond ``limits``."""
    if _DEEP in body:
        raise NotJson(f"the body is nested more than {_DEEPEST} deep")
    check_json(body, limits)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # It reads neither the tokens nor numbers that no float64 holds.
        if any(token in body for token in _TOKENS) or "number" in error.msg:
            return _read_slowly(body)
        raise NotJson(error.msg, error.pos) from None


def _read_slowly(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_int=_integer)
    except json.JSONDecodeError as error:
        raise NotJson(error.msg, error.pos) from None
    except UnicodeDecodeError as error:
        raise NotJson("it is not UTF-8", error.start) from None
    except (RecursionError, ValueError) as error:  # too deep; a number of too many digits
        raise NotJson(str(error)) from None


def _integer(text: str) -> int:
    # Called for each, so that other threads have their turn; many digits take long.
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(text)} digits, which no model takes")
    return int(text)


def dumped(document: Any) -> bytes:
    """``document`` as JSON. Arrays in it are written as lists, if ``writable`` gave them."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError:
        return json.dumps(document, default=_as_list).encode()


def with_tokens(document: Any) -> bytes:
    """As ``dumped``, of a document with numbers that are not finite: slower."""
    return json.dumps(document, default=_as_list, separators=(",", ":")).encode()


def _as_list(value: Any) -> Any:
    return value.tolist()


def is_finite(array: Array) -> bool:
    """Whether no number of ``array`` needs a token."""
    return array.dtype.kind not in _FLOATS or bool(np.isfinite(array).all())


def writable(array: Array) -> Array:
    """Numbers that are written with their shortest digits, and have tokens if they need some.

    A float32 must not be widened to float64, which would have twice as many digits.
    """
    if array.dtype == np.float16 or (array.dtype == np.float32 and not is_finite(array)):
        return array.astype(np.str_).astype(np.float64)
    # np.ascontiguousarray would make a list of a bare number.
    return array if array.flags.c_contiguous else array.copy()
