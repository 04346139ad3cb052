"""JSON's nested lists as arrays: exactly of the dtype that a model takes, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

import msgspec
import numpy as np

from tfaas_core.tensors import Array
from tfaas_core.texts.base64_text import decode_padded
from tfaas_core.values.pieces import array_from, chained, kinds, pieces
from tfaas_plugins.codecs.values.number_lists import NumberLists

_MOST_SHOWN = 256
_DEEPEST = 100
_MOST_DIMENSIONS = 32

_KINDS = {
    str: "String",
    int: "Number",
    float: "Number",
    list: "Array",
    dict: "Object",
    type(None): "Null",
}
_TF_NAMES = {"float32": "float", "float64": "double", "float16": "half"}
_DOUBLE = np.dtype(np.float64)
_FITTING = {
    "f": frozenset({int, float}),
    "i": frozenset({int}),
    "u": frozenset({int}),
    "b": frozenset({bool}),
    "O": frozenset({str, bytes}),
}


class Ragged(Exception):
    """Lists of different sizes, or values beside lists; it says so in ``TensorFlow``'s words."""


class WrongValue(Exception):
    """A value that the dtype does not hold."""


class Flat(msgspec.Struct, frozen=True):
    """The values of nested lists, in order, and their shape."""

    shape: tuple[int, ...]
    values: list[Any]


def kind_of(value: Any) -> str:
    """What JSON value it is, as RapidJSON calls it."""
    if value is True or value is False:
        return str(value)
    return _KINDS.get(type(value), "Number")


def shown(value: Any) -> str:
    """A value for a message, cut; what is nested too deep is ``...``."""
    try:
        part = _part(value)
        try:
            text = msgspec.json.encode(part).decode()
        except (ValueError, TypeError, OverflowError):
            text = repr(part)
    except RecursionError:
        text = "..."
    return text[:_MOST_SHOWN]


def _part(value: Any, most: int = _MOST_SHOWN) -> Any:
    """Enough of a value: writing a large one whole would hold up other requests."""
    if type(value) is list:
        return [_part(each, most // 2) for each in value[:most]]
    if type(value) is dict:
        items = islice(value.items(), most)
        return {_part(name): _part(each, most // 2) for name, each in items}
    return value[:_MOST_SHOWN] if type(value) is str else value


def flat(value: Any) -> Flat:
    """``value`` as one list. Its shape is that along the first elements. Raises Ragged."""
    shape: list[int] = []
    values = [value]
    sample = value
    while type(sample) is list:
        size = len(sample)
        if len(shape) == _MOST_DIMENSIONS:
            raise Ragged("Encountered list at unexpected level: it is nested too deep")
        _check_level(values, size, len(shape))
        shape.append(size)
        if not size:
            return Flat(tuple(shape), [])
        values = chained(values)
        sample = values[0]
    if list in kinds(values):
        raise Ragged(f"Encountered list at unexpected level: {len(shape)}")
    return Flat(tuple(shape), values)


def leaves(value: Any) -> list[Any]:
    """All values in nested lists, in order, however they are nested. Raises Ragged if too deep."""
    values = [value]
    for _ in range(_DEEPEST):
        found = kinds(values)
        if list not in found:
            return values
        if found == {list}:
            values = chained(values)
        else:
            wrapped = (each if type(each) is list else (each,) for each in values)
            values = list(chain.from_iterable(wrapped))
    raise Ragged(f"it is nested more than {_DEEPEST} deep")


def _check_level(values: list[Any], size: int, level: int) -> None:
    if kinds(values) != {list}:
        other = next(each for each in values if type(each) is not list)
        raise Ragged(
            f"JSON Value: {shown(other)} Type: {kind_of(other)} is not a list at level: {level}"
        )
    if set(map(len, values)) != {size}:
        other = next(len(each) for each in values if len(each) != size)
        raise Ragged(
            f"Encountered list at unexpected size: {other} at level: {level} expected size: {size}"
        )


def array_of(found: Flat, dtype: np.dtype[Any]) -> Array:
    """The values as an array of ``dtype``; strings are bytes. Raises WrongValue."""
    if not found.values:
        return np.zeros(found.shape, dtype)
    if dtype.kind == "O":
        return _strings(found)
    fitting = _FITTING.get(dtype.kind)
    if fitting is None or not kinds(found.values) <= fitting:
        raise wrong_value(found.values, dtype)
    try:
        with np.errstate(over="ignore"):
            if dtype.kind == "f":
                return array_from(found.values, _DOUBLE).astype(dtype).reshape(found.shape)
            return array_from(found.values, dtype).reshape(found.shape)
    except (OverflowError, ValueError):
        raise wrong_value(found.values, dtype) from None


def tensor_of(value: Any, dtype: np.dtype[Any]) -> Array:
    """Nested lists, or NumberLists, as an array of ``dtype``. Raises Ragged and WrongValue."""
    if isinstance(value, NumberLists):
        array = numbers_of(value, dtype)
        if array is not None:
            return array
        value = value.lists()
    return array_of(flat(value), dtype)


def numbers_of(numbers: NumberLists, dtype: np.dtype[Any]) -> Array | None:
    """The same as ``array_of`` gives for the lists; None: they tell what is wrong, or hold."""
    array = numbers.array
    if array.ndim > _MOST_DIMENSIONS:
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            # As of the lists, an integer is rounded to float64 first.
            return array.astype(np.float64).astype(dtype)
    if dtype.kind not in "iu" or array.dtype.kind != "i":
        return None
    limits = np.iinfo(dtype)
    if array.size and (array.min() < limits.min or array.max() > limits.max):
        return None
    return array.astype(dtype)


def wrong_value(values: Sequence[Any], dtype: np.dtype[Any]) -> WrongValue:
    """The first of ``values`` that ``dtype`` does not hold."""
    value = next((each for each in values if not _holds(each, dtype)), values[0])
    name = "string" if dtype.kind == "O" else _TF_NAMES.get(dtype.name, dtype.name)
    return WrongValue(
        f"JSON Value: {shown(value)} Type: {kind_of(value)} is not of expected type: {name}"
    )


def _holds(value: Any, dtype: np.dtype[Any]) -> bool:
    if type(value) not in _FITTING.get(dtype.kind, ()):
        return False
    try:
        np.array(value, dtype if dtype.kind != "f" else np.float64)
    except (OverflowError, ValueError):
        return False
    return True


def _strings(found: Flat) -> Array:
    array = np.empty(len(found.values), object)
    for index, value in enumerate(found.values):
        if type(value) is dict:
            array[index] = from_base64(value)
        elif type(value) is str:
            array[index] = _encoded(value)
        elif type(value) is bytes:  # of no JSON, but of a message of gRPC
            array[index] = value
        else:
            raise wrong_value([value], np.dtype(object))
    return array.reshape(found.shape)


def _encoded(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell
        raise wrong_value([None], np.dtype(object)) from None


def is_base64(value: Any) -> bool:
    """Whether it is ``{"b64": "..."}``."""
    return type(value) is dict and len(value) == 1 and type(value.get("b64")) is str


def from_base64(value: dict[str, Any]) -> bytes:
    """What ``{"b64": "..."}`` stands for; raises WrongValue."""
    if not is_base64(value):
        raise WrongValue(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
    text = "".join(["".join(part.split()) for part in pieces(value["b64"])])
    try:
        return decode_padded(text.encode() + b"=" * (-len(text) % 4))
    except ValueError:
        raise WrongValue(f"Unable to base64 decode: {shown(value)}") from None
