"""Messages of TensorFlow Serving: refused if Google's parser refuses them, or what it reads."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.protobuf.unknown_fields import UnknownFieldSet  # type: ignore[import-untyped]
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.protocols.tfserving.example_messages import (
    Unimplemented,
    read_one_task,
    read_tasks,
)
from tfaas_plugins.protocols.tfserving.predict_messages import read_predict
from tfaas_plugins.wire import fields

from tests.fuzz.mutations import mutator
from tfaas_core.errors import BadBody, TfaasError, TooLarge
from tfaas_core.settings.tables import Limits

_PREDICT, _MULTI, _REGRESS = (
    message_class(f"tensorflow.serving.{name}Request")
    for name in ("Predict", "MultiInference", "Regression")
)
_EXAMPLE = message_class("tensorflow.Example")
_ENDLESS = re.compile(rb"[\x80-\xff]{10}")
_INPUTS = 0x12
_LIMITS = Limits(max_values=10_000)
_MOST_BYTES = 1 << 20

_mutators = [mutator(kind, ("x", "y", "many"), 1) for kind in (_PREDICT, _MULTI, _REGRESS)]


def mutate(data: bytes, most_bytes: int, seed: int) -> bytes:
    return _mutators[_kind(data)](data or b"\0", most_bytes, seed)


def check(data: bytes) -> None:
    body = data[1:]
    if (kind := _kind(data)) == 0:
        _check_predict(body)
    else:
        _check_examples(body, kind == 1)


def _kind(data: bytes) -> int:
    return data[0] % 3 if data else 0


def _check_predict(body: bytes) -> None:
    found = _outcome(body)
    try:
        message = _PREDICT.FromString(body)
    except DecodeError:
        assert isinstance(found, TfaasError) or _is_passed_over(body, len(found)), found
        return
    if len(UnknownFieldSet(message)):
        # An entry of a map with a field that is not known is no entry there; here it is one.
        return
    again = _outcome(message.SerializeToString())
    if isinstance(found, TfaasError) or isinstance(again, TfaasError):
        assert isinstance(found, TfaasError), found
        assert isinstance(again, TfaasError), again
        return
    assert found.keys() == again.keys() == message.inputs.keys()
    for name, array in found.items():
        assert array.dtype == again[name].dtype
        assert array.shape == tuple(dim.size for dim in message.inputs[name].tensor_shape.dim)
        np.testing.assert_array_equal(array, again[name])


def _is_passed_over(body: bytes, inputs: int) -> bool:
    """Whether what is broken may be of no interest: an input of which there is another one, or a
    number of too many bytes in a field of another dtype."""
    entries = sum(tag == _INPUTS for tag, _, _ in fields(body))
    return entries != inputs or _ENDLESS.search(body) is not None


def _outcome(body: bytes) -> Any:
    """The arrays, or how it was refused."""
    allowance = Allowance(_LIMITS)
    try:
        message = read_predict(body, allowance)
        if message.array_bytes > _MOST_BYTES:
            return TooLarge("for a test")
        return {name: tensor.array(allowance) for name, tensor in message.inputs.items()}
    except (BadBody, TooLarge) as error:
        return error


def _check_examples(body: bytes, is_multi: bool) -> None:
    found = None
    try:
        allowance = Allowance(_LIMITS)
        read = (
            read_tasks(body, allowance) if is_multi else read_one_task(body, "regress", allowance)
        )
        found = read.examples.exact
    except (BadBody, TooLarge, Unimplemented):
        pass
    try:
        message = (_MULTI if is_multi else _REGRESS).FromString(body)
    except DecodeError:
        return
    if found is None:
        return
    kind = message.input.WhichOneof("kind")
    sent = getattr(message.input, kind)
    assert [_EXAMPLE.FromString(each) for each in found.examples] == list(sent.examples)
    context = sent.context if kind == "example_list_with_context" else _EXAMPLE()
    assert _EXAMPLE.FromString(found.context) == context
