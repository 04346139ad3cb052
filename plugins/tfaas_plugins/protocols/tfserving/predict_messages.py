"""The messages of Predict: a request read from the wire, and its answer written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from tfaas_core.errors import BadBody
from tfaas_core.predict.inference import InferenceResult
from tfaas_core.predict.target import Target
from tfaas_core.tensors import Array
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.bfloat16 import to_bits
from tfaas_plugins.protocols.packed import packed
from tfaas_plugins.protocols.prepared import MOST_TEXT_BYTES
from tfaas_plugins.protocols.template import Template, blanks_of
from tfaas_plugins.protocols.tfserving.dtypes import Dtype, dtype_of
from tfaas_plugins.protocols.tfserving.sent import CONTENT, MOST_HEAD_BYTES, SentTensor
from tfaas_plugins.protocols.tfserving.specs import read_spec, spec_of
from tfaas_plugins.wire import (
    FIXED32,
    FIXED64,
    LENGTH,
    VARINT,
    Piece,
    field,
    fields,
    last_field,
    message_of,
    tag_of,
    varint,
)

_SPEC, _INPUTS, _FILTER = (tag_of(number, LENGTH) for number in (1, 2, 3))
_MOST_INPUTS = 4096
_SMALL_BYTES = 1 << 12
_STRINGS_AT_ONCE = 1 << 12
_KEY, _VALUE = tag_of(1, LENGTH), tag_of(2, LENGTH)


class PredictMessage(msgspec.Struct, frozen=True):
    """A PredictRequest. ``outputs``: those that are wanted; None: all."""

    target: Target
    inputs: Mapping[str, SentTensor]
    outputs: list[str] | None

    @property
    def array_bytes(self) -> int:
        """Of its inputs as arrays, if they are what they claim to be. Raises BadBody."""
        return sum(tensor.array_bytes for tensor in self.inputs.values())


def read_predict(body: bytes, allowance: Allowance) -> PredictMessage:
    """Raises BadBody, and TooLarge beyond the allowance."""
    specs, outputs = [], []
    inputs: dict[str, SentTensor] = {}
    for tag, start, stop in fields(body):
        allowance.take(1, "its fields")
        if tag == _INPUTS:
            tensor = _entry(body, start, stop, allowance)
            # Of a name that comes twice, the last one counts.
            inputs[tensor.name] = tensor
            if len(inputs) > _MOST_INPUTS:
                raise BadBody(f"the request has more than {_MOST_INPUTS} inputs")
        elif tag == _SPEC:
            specs.append(body[start : min(stop, start + MOST_HEAD_BYTES + 1)])
        elif tag == _FILTER:
            outputs.append(_name(body, start, stop))
    return PredictMessage(read_spec(specs), inputs, outputs or None)


def _entry(body: bytes, at: int, end: int, allowance: Allowance) -> SentTensor:
    tensor = SentTensor("")
    for tag, start, stop in fields(body, at, end):
        allowance.take(1, "its fields")
        if tag == _KEY:
            tensor.name = _name(body, start, stop)
        elif tag == _VALUE:
            tensor.read(body, start, stop, allowance)
    return tensor


def _name(body: bytes, start: int, stop: int) -> str:
    if stop - start > MOST_HEAD_BYTES:
        raise BadBody(f"the name of an input or output has more than {MOST_HEAD_BYTES} bytes")
    try:
        return body[start:stop].decode()
    except UnicodeDecodeError:
        raise BadBody("the name of an input or output is no UTF-8") from None


def tensor_at_end(body: bytes, message: PredictMessage) -> tuple[str, int] | None:
    """The one input, and how many bytes it has, if they are as in memory, and end the body."""
    if len(message.inputs) != 1:
        return None
    ((name, tensor),) = message.inputs.items()
    size = tensor.plain_bytes
    if not size or len(body) - size > MOST_TEXT_BYTES:
        return None
    start, end = 0, len(body)
    for expected in (_INPUTS, _VALUE, CONTENT):
        tag, start, end = last_field(body, start, end)
        if tag != expected or end != len(body):
            return None
    return (name, size) if end - start == size else None


# Answers.


def predict_answer(result: InferenceResult, signature: str) -> bytes:
    """A PredictResponse, whose tensors have values in the fields of their dtypes.

    Raises TooLarge.
    """
    specs = {spec.name: spec for spec in result.version.signature.outputs}
    pieces: list[Piece] = []
    for name, array in result.outputs.items():
        pieces += _output(name, array, dtype_of(specs[name]))
    return message_of([*pieces, *_answered_by(result, signature)])


def predict_template(result: InferenceResult, signature: str) -> Template[bytes] | None:
    """What answers of such outputs have in common; None: their sizes depend on their values."""
    specs = {spec.name: spec for spec in result.version.signature.outputs}
    befores = []
    for name, array in result.outputs.items():
        dtype = dtype_of(specs[name])
        if not array.size or dtype.field.kind not in (FIXED32, FIXED64):
            return None
        befores.append(b"".join(_output(name, array, dtype)[:-1]))
    behind = b"".join(_answered_by(result, signature))
    return Template(blanks_of(result, befores), behind, np.ndarray.tobytes, bytes)


def _output(name: str, array: Array, dtype: Dtype) -> list[Piece]:
    tensor = tensor_pieces(array, dtype)
    return field(1, [*field(1, [name.encode()]), *field(2, tensor)])


def _answered_by(result: InferenceResult, signature: str) -> list[Piece]:
    return field(2, [spec_of(result.version, signature).SerializeToString()])


def tensor_pieces(array: Array, dtype: Dtype) -> list[Piece]:
    """A TensorProto of ``array``, as pieces that follow each other."""
    sizes = [b"\x08" + varint(size) if size else b"" for size in array.shape]
    shape: list[Piece] = [piece for size in sizes for piece in field(2, [size])]
    head = [varint(tag_of(1, VARINT)), varint(dtype.number), *field(2, shape)]
    if not array.size:
        return head
    number = dtype.field.number
    if dtype.is_string:
        return [*head, *_strings(array, number)]
    return [*head, *field(number, [_values(array, dtype)])]


def _strings(array: Array, number: int) -> Iterator[bytes]:
    """The fields of all strings, so many at once that putting them together takes no time."""
    flat = array.reshape(-1)
    for at in range(0, len(flat), _STRINGS_AT_ONCE):
        step = flat[at : at + _STRINGS_AT_ONCE]
        yield b"".join([piece for value in step for piece in field(number, [value])])


def _values(array: Array, dtype: Dtype) -> Piece:
    if dtype.is_bfloat16:
        return packed(to_bits(array))
    if array.dtype == np.float16:
        return packed(np.ascontiguousarray(array).view(np.uint16))
    if dtype.field.kind == VARINT:
        return packed(array)
    if array.nbytes <= _SMALL_BYTES:
        return array.astype(dtype.item, copy=False).tobytes()
    return np.ascontiguousarray(array, dtype.item).reshape(-1).view(np.uint8).data
