"""Arrays as JSON's nested lists, with NaN and Infinity as bare words, as Triton writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import orjson

from tfaas_core.tensors import Array
from tfaas_core.values.pieces import joined_bytes
from tfaas_plugins.codecs.json.pieces import MOST_AT_ONCE, Pieces, in_pieces

TextOf: TypeAlias = Callable[[bytes], Any]
"""What stands for a string of an output: a text, or an object."""


def fragment(array: Array, text: TextOf = bytes.decode) -> orjson.Fragment | Pieces:
    """The array, written as ``written`` does, for a document that is ``dumped``."""
    if array.size > MOST_AT_ONCE:
        return Pieces(list(parts(array, text)))
    return orjson.Fragment(written(array, text))


def written(array: Array, text: TextOf = bytes.decode) -> bytes:
    """Numbers with the fewest digits that tell them apart, booleans; or strings, by ``text``.

    ``array``: any dtype but complex ones. Raises what ``text`` raises.
    """
    return joined_bytes(parts(array, text))


def parts(array: Array, text: TextOf = bytes.decode) -> Iterator[bytes]:
    """What is ``written``, a part at a time."""
    if not array.ndim:
        return iter((_piece(array.reshape(1), text)[1:-1],))
    return in_pieces(array, partial(_piece, text=text))


def elements_written(array: Array, text: TextOf = bytes.decode) -> list[bytes]:
    """As ``written``, each element of the first axis by itself."""
    if array.ndim > 1:
        return [written(element, text) for element in array]
    if array.dtype == object:
        return [orjson.dumps(text(value)) for value in array]
    return written(array)[1:-1].split(b",") if array.size else []


def _piece(array: Array, text: TextOf) -> bytes:
    if array.dtype == object:
        texts = np.empty(array.size, object)
        texts[:] = [text(value) for value in array.flat]
        return orjson.dumps(texts.reshape(array.shape).tolist())
    if array.dtype == np.float16:
        # orjson would write the digits of a float32.
        array = array.astype(np.str_).astype(np.float64)
    plain = np.ascontiguousarray(array)
    numbers = orjson.dumps(plain, option=orjson.OPT_SERIALIZE_NUMPY)
    if array.dtype.kind != "f":
        return numbers
    odd = plain[~np.isfinite(plain)]
    return _with_words(numbers, odd) if odd.size else numbers


def _with_words(numbers: bytes, odd: Array) -> bytes:
    """``numbers`` with words for ``odd`` ones, where orjson writes null."""
    words = [b"NaN" if n != n else b"Infinity" if n > 0 else b"-Infinity" for n in odd.tolist()]
    parts = numbers.split(b"null")
    return b"".join(chain.from_iterable(zip(parts, [*words, b""], strict=True)))
