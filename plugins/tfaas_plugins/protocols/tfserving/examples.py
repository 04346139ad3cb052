"""The body of classify and regress: examples, as the tf.train.Example that a model parses.

Written without TensorFlow: an Example is a map from names to a list of bytes, floats or integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, Arrays
from tfaas_core.values.pieces import array_from
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.json_values import (
    WrongValue,
    from_base64,
    is_base64,
    kind_of,
)
from tfaas_plugins.wire import field, varint

_DOUBLE = np.dtype(np.float64)
_INT64 = 1 << 63
_BITS = (1 << 64) - 1
_FIELDS = {"bytes": 1, "float": 2, "int64": 3}


class ExampleList(msgspec.Struct, frozen=True):
    """Serialized Examples, and one that goes before each of them."""

    context: bytes
    examples: Sequence[bytes]

    def checked_bytes(self, most_bytes: int) -> int:
        """What they have together, each with the context. Raises TooLarge for more."""
        size = len(self.context) * len(self.examples) + sum(map(len, self.examples))
        if size > most_bytes:
            raise TooLarge(
                f"the {len(self.examples)} examples, each with the context, have {size} bytes, "
                f"at most {most_bytes} are taken (server.max_body_bytes)",
                expected=most_bytes,
                got=size,
            )
        return size

    def array(self) -> Array:
        """As a model takes them: an object array of bytes, of one axis."""
        array = np.empty(len(self.examples), object)
        # Of a feature that is in both, the last one wins.
        array[:] = [self.context + example for example in self.examples]
        return array


class Examples(msgspec.Struct, frozen=True):
    """What a client sent. ``as_floats``: the same, whole numbers as floats; None: none is whole."""

    exact: ExampleList
    as_floats: ExampleList | None = None

    def __len__(self) -> int:
        return len(self.exact.examples)


def examples_of(document: dict[str, Any], method: str, limits: Limits) -> Examples:
    """What ``examples`` and ``context`` of a request hold. Raises BadBody in the server's words.

    The context is in each example: TooLarge if that makes more of it than ``limits`` allow.
    """
    if "examples" not in document:
        raise BadBody(
            f"When method is {method}, key 'examples' is expected and was not found in the request"
        )
    examples = document["examples"]
    if type(examples) is not list:
        raise BadBody("Expecting 'examples' value to be an list/array")
    if not examples:
        raise BadBody("'examples' value is an empty array")
    context = document.get("context", {})
    for example in (context, *examples):
        if type(example) is not dict:
            raise BadBody(f"Example must be JSON object but got JSON {kind_of(example)}")
    everything = [context, *examples]
    _check_values(context, len(examples), limits)
    exact = _list_of(everything, whole_as_float=False)
    has_whole = any(
        any(type(value) is int for value in _listed(feature))
        for example in everything
        for feature in example.values()
    )
    return Examples(exact, _list_of(everything, whole_as_float=True) if has_whole else None)


def _check_values(context: dict[str, Any], examples: int, limits: Limits) -> None:
    """What each example says for itself, the body holds, and was counted there."""
    values = sum(len(_listed(feature)) for feature in context.values())
    Allowance(limits).take(values * examples, f"the context in {examples} examples")


def _list_of(examples: Sequence[dict[str, Any]], whole_as_float: bool) -> ExampleList:
    context, *written = [_serialized(example, whole_as_float) for example in examples]
    return ExampleList(context, written)


def _serialized(example: dict[str, Any], whole_as_float: bool) -> bytes:
    features = b"".join(
        _field(1, _field(1, _utf8(name)) + _field(2, _feature(name, value, whole_as_float)))
        for name, value in example.items()
    )
    return _field(1, features)


def _listed(value: Any) -> list[Any]:
    return value if type(value) is list else [value]


def _feature(name: str, value: Any, whole_as_float: bool) -> bytes:
    values = _listed(value)
    if not values:
        return b""
    kinds = [_kind(name, each) for each in values]
    if whole_as_float and all(type(each) is int for each in values):
        kinds = ["float"] * len(values)
    kind = kinds[0]
    if any(other != kind for other in kinds):
        raise BadBody(f"Unexpected element type in feature: {name} expecting type: {kind}")
    return _field(_FIELDS[kind], _LISTS[kind](values))


def _kind(name: str, value: Any) -> str:
    if type(value) is str or is_base64(value):
        return "bytes"
    if type(value) is float:
        return "float"
    if type(value) is bool:
        return "int64"
    if type(value) is int:
        if not -_INT64 <= value < _INT64:
            raise BadBody(f"Feature: {name} has uint64_t element, which no int64 holds")
        return "int64"
    raise BadBody(f"Feature: {name} has element with unexpected JSON type: {kind_of(value)}")


def _bytes_list(values: Iterable[Any]) -> bytes:
    try:
        return b"".join(
            _field(1, from_base64(value) if type(value) is dict else _utf8(value))
            for value in values
        )
    except WrongValue as error:
        raise BadBody(str(error)) from None


def _float_list(values: list[Any]) -> bytes:
    with np.errstate(over="ignore"):
        floats = array_from(values, _DOUBLE).astype("<f4")
    return _field(1, floats.tobytes())


def _int64_list(values: Iterable[int]) -> bytes:
    return _field(1, b"".join(varint(value & _BITS) for value in values))


_LISTS = {"bytes": _bytes_list, "float": _float_list, "int64": _int64_list}


def _field(number: int, content: bytes) -> bytes:
    return b"".join(field(number, [content]))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadBody("a text in the examples holds half of a surrogate pair") from None


# Answers.


def regressions(outputs: Arrays, rows: int) -> Array:
    """The values of regress, one for each row. Raises BadBody if the outputs are none."""
    if "outputs" not in outputs or len(outputs) != 1:
        raise BadBody("Expected one regression output, called 'outputs'")
    values = outputs["outputs"]
    if values.dtype != np.float32:
        raise BadBody(f"Expected output Tensor of DT_FLOAT. Got: {values.dtype.name}")
    if values.shape not in ((rows,), (rows, 1)):
        raise BadBody(
            f"Expected output Tensor shape to be either [{rows}] or [{rows}, 1], but got"
            f" {list(values.shape)}"
        )
    return values.reshape(rows)


def classes_and_scores(outputs: Arrays, rows: int) -> tuple[Array, Array]:
    """The labels and the scores of classify, of shape ``[rows, k]``; raises BadBody for others."""
    classes, scores = outputs.get("classes"), outputs.get("scores")
    if (classes is None and scores is None) or not {"classes", "scores"} >= outputs.keys():
        raise BadBody("Expected classification signature outputs 'classes' or 'scores'")
    for name, array, dtype in (("classes", classes, np.object_), ("scores", scores, np.float32)):
        if array is not None and (array.dtype != dtype or array.ndim != 2 or len(array) != rows):
            raise BadBody(
                f"Expected {name} Tensor of shape [{rows}, k] and dtype"
                f" {'DT_STRING' if name == 'classes' else 'DT_FLOAT'}, but got"
                f" {array.dtype.name} {list(array.shape)}"
            )
    if classes is None:
        assert scores is not None
        classes = np.full(scores.shape, b"", object)
    if scores is None:
        scores = np.zeros(classes.shape, np.float32)
    if classes.shape != scores.shape:
        raise BadBody(
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs."
            f" {scores.shape[1]}"
        )
    return classes, scores
