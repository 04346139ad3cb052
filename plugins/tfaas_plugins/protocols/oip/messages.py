"""Messages of an infer call: read, however much they claim to hold, and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tfaas_core.errors import BadBody
from tfaas_core.notes import noted
from tfaas_core.predict.early_binding import LARGE_BODY_BYTES
from tfaas_core.predict.inference import InferenceResult
from tfaas_core.settings.tables import Limits
from tfaas_core.values.pieces import joined_bytes
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.codecs.values.usual import MOST_ARRAY_BYTES
from tfaas_plugins.protocols.oip.contents import INPUT, MOST_FIELDS, check_sizes, without_strings
from tfaas_plugins.protocols.oip.datatypes import is_plain, to_raw
from tfaas_plugins.protocols.oip.infer.answer_form import AnswerForm
from tfaas_plugins.protocols.oip.infer.answers import outputs_of
from tfaas_plugins.protocols.oip.infer.requests import (
    InferBody,
    WantedOutput,
    check_count,
    check_keys,
    check_no_shared_memory,
    input_name,
)
from tfaas_plugins.protocols.prepared import MOST_TEXT_BYTES
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.protocols.template import Template, blanks_of
from tfaas_plugins.wire import Broken, Piece, field, fields, last_field, message_of, varint

InferRequest = message_class("inference.ModelInferRequest")
InferResponse = message_class("inference.ModelInferResponse")

EMPTY_FINAL = "triton_enable_empty_final_response"
"""The one parameter that the protocol reserves, and that means something: nothing here."""

_RAW_INPUT = 0x3A
_RAW_OUTPUT = 6
_IN_STREAM = 2
_ID = 0x1A
_ID_TAG = b"\x1a"

_QUICK_BYTES = 1 << 15
_FIELDS = {
    "BOOL": "bool_contents",
    **{f"INT{bits}": "int_contents" for bits in (8, 16, 32)},
    **{f"UINT{bits}": "uint_contents" for bits in (8, 16, 32)},
    "INT64": "int64_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


_FEW_FIELDS = 1 << 10
"""Of a message that is read in less than a millisecond."""


class InferMessage(msgspec.Struct, frozen=True):
    """A request: which model and version it names, empty for the live one, and what it asks."""

    model: str
    version: str
    body: InferBody


def parsed(kind: Any, body: bytes) -> Any:
    """The message of the class ``kind`` that ``body`` is. Raises BadBody."""
    try:
        return kind.FromString(body)
    except DecodeError:
        name = kind.DESCRIPTOR.full_name
        raise BadBody(f"the message is no {name}, or has text that is not UTF-8") from None


def is_read_at_once(body: bytes) -> bool:
    """Whether ``infer_message`` takes less than a millisecond: few bytes are not those of tensors.

    These are not looked at.
    """
    if len(body) <= LARGE_BODY_BYTES:
        return True
    if len(body) > MOST_ARRAY_BYTES:
        return False
    raw_bytes = 0
    try:
        for number, (tag, start, end) in enumerate(fields(body)):
            if number == _FEW_FIELDS:
                return False
            if tag == _RAW_INPUT:
                raw_bytes += end - start
    except BadBody:  # for which others have words
        return False
    return len(body) - raw_bytes <= LARGE_BODY_BYTES


def infer_message(body: bytes, limits: Limits) -> InferMessage:
    """The request that ``body`` is, whose raw inputs are views of it.

    Raises BadBody, and TooLarge beyond ``limits``.
    """
    if len(body) <= min(_QUICK_BYTES, limits.max_values):
        found = parsed(InferRequest, body)
        raw: Sequence[Any] = found.raw_input_contents
        strings: Mapping[int, Sequence[bytes]] = {}
    else:
        parted = without_strings(body, limits)
        strings = parted.strings
        rest, raw = _parted(parted.message)
        check_sizes(rest, limits)
        found = parsed(InferRequest, rest)
    check_count(max(len(found.inputs), len(raw)))
    return InferMessage(found.model_name, found.model_version, _infer_body(found, raw, strings))


def _parted(body: bytes) -> tuple[bytes, list[memoryview]]:
    """A request without its raw inputs, and these, which are not copied. Raises BadBody."""
    view, kept, raw = memoryview(body), [], []
    at = begin = inputs = 0
    for tag, start, end in fields(body):
        if tag == _RAW_INPUT:
            kept.append(view[begin:at])
            raw.append(view[start:end])
            begin = end
        inputs += tag == INPUT
        at = end
    check_count(inputs)
    kept.append(view[begin:])
    return joined_bytes(kept), raw


def tensor_at_end(message: bytes, body: InferBody) -> str | None:
    """The name of the one input, if its bytes are those of numbers, and end the message."""
    tails = body.tails
    if body.id is not None or len(body.inputs) != 1 or len(tails) != 1:
        return None
    if len(message) - len(tails[0]) > MOST_TEXT_BYTES or not is_plain(body.inputs[0]["datatype"]):
        return None
    try:
        tag, start, _ = last_field(message)
    except Broken:  # to protocol buffers' own library it is not
        return None
    is_last = tag == _RAW_INPUT and len(message) - start == len(tails[0])
    return input_name(body.inputs[0]) if is_last else None


def infer_id(body: bytes) -> str:
    """The id that a request has, as far as it can be read; raises BadBody if it cannot."""
    for number, (tag, start, end) in enumerate(fields(body)):
        if number > MOST_FIELDS:
            break
        if tag == _ID:
            return str(parsed(InferRequest, _ID_TAG + varint(end - start) + body[start:end]).id)
    return ""


def _infer_body(
    message: Any, raw: Sequence[Any], strings: Mapping[int, Sequence[bytes]]
) -> InferBody:
    parameters = _scalars(message.parameters)
    check_keys(parameters, EMPTY_FINAL)
    if raw and len(raw) != len(message.inputs):
        raise BadBody(_wrong_raw(message, len(raw)))
    model = message.model_name
    return InferBody(
        message.id or None,
        parameters,
        [
            _input(each, bool(raw), model, strings.get(place, ()))
            for place, each in enumerate(message.inputs)
        ],
        [_output(each) for each in message.outputs] or None,
        True,
        {place: memoryview(each) for place, each in enumerate(raw)},
    )


def _wrong_raw(message: Any, entries: int) -> str:
    inputs, model = message.inputs, message.model_name[:140]
    if entries > len(inputs):
        return f"unexpected additional input data for model {model!r}"
    name = inputs[entries].name[:80]
    return f"unable to find data for input tensor {name!r} for model {model!r} in request"


def _scalars(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _scalar(key, value) for key, value in parameters.items()}


def _scalar(key: str, value: Any) -> Any:
    kind = value.WhichOneof("parameter_choice")
    if kind is None:
        raise BadBody(f"the parameter {key[:80]!r} has no value")
    return getattr(value, kind)


def _input(each: Any, is_raw: bool, model: str, strings: Sequence[bytes]) -> dict[str, Any]:
    name, datatype, shape = each.name, each.datatype, list(each.shape)
    check_no_shared_memory(each.parameters, f"input {name[:80]!r}")
    document = {"name": name, "datatype": datatype, "shape": shape}
    filled = {field.name: values for field, values in each.contents.ListFields()}
    if strings:
        filled[_FIELDS["BYTES"]] = strings
    if is_raw:
        if filled:
            raise BadBody(
                "contents field must not be specified when using raw_input_contents for "
                f"{name[:80]!r} for model {model[:140]!r}"
            )
        return document
    field = _FIELDS.get(datatype)
    if filled.keys() - {field}:
        raise BadBody(
            f"unexpected explicit tensor data for input tensor {name[:80]!r} for model "
            f"{model[:140]!r}: {datatype[:40]!r} takes {field or 'raw_input_contents'}"
        )
    if not filled and 0 not in shape:
        raise BadBody(
            f"unable to find data for input tensor {name[:80]!r} for model {model[:140]!r} in "
            "request"
        )
    document["data"] = list(filled[field]) if field in filled else []
    return document


def _output(each: Any) -> WantedOutput:
    name, parameters = each.name, _scalars(each.parameters)
    check_no_shared_memory(parameters, f"output {name[:80]!r}")
    classes = parameters.get("classification", 0)
    if type(classes) is not int or classes < 0:
        raise BadBody(f"'classification' of output {name[:80]!r} is no whole number above 0")
    return WantedOutput(name, True, classes)


# The answer.


def answer_message(
    result: InferenceResult,
    wanted: Sequence[WantedOutput],
    request_id: str | None,
    allowance: Allowance,
) -> bytes:
    """The outputs, all raw: Triton's clients read nothing else. Raises TooLarge."""
    return message_of(_pieces(result, wanted, InferResponse(id=request_id or ""), allowance))


def message_template(
    result: InferenceResult, wanted: Sequence[WantedOutput], answer: bytes
) -> Template[bytes] | None:
    """What ``answer`` has in common with others of such outputs; None: nothing that is sure."""
    forms = noted(result.version, AnswerForm).outputs
    if any(each.classes or not is_plain(forms[each.name].datatype) for each in wanted):
        return None
    written = [field(_RAW_OUTPUT, [array.tobytes()]) for array in result.outputs.values()]
    raw_bytes = sum(len(piece) for pieces in written for piece in pieces)
    befores = [bytes(pieces[0]) for pieces in written]
    befores[:1] = [answer[: len(answer) - raw_bytes] + before for before in befores[:1]]
    return Template(blanks_of(result, befores), b"", np.ndarray.tobytes, bytes)


def answer_in_stream(
    result: InferenceResult,
    wanted: Sequence[WantedOutput],
    request_id: str | None,
    allowance: Allowance,
) -> bytes:
    """The same, in a stream, where it says that it is all."""
    head = InferResponse(id=request_id or "")
    head.parameters["triton_final_response"].bool_param = True
    return message_of(field(_IN_STREAM, _pieces(result, wanted, head, allowance)))


def _pieces(
    result: InferenceResult, wanted: Sequence[WantedOutput], head: Any, allowance: Allowance
) -> list[Piece]:
    """What, put together, is a ModelInferResponse."""
    head.model_name = result.version.name
    head.model_version = str(result.version.version)
    pieces: list[Piece] = []
    for each, (array, datatype) in zip(wanted, outputs_of(result, wanted, allowance), strict=True):
        head.outputs.add(name=each.name, datatype=datatype, shape=array.shape)
        pieces += field(_RAW_OUTPUT, [to_raw(array, datatype)])
    return [head.SerializeToString(), *pieces]
