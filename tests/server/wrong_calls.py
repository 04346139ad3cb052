"""gRPC servers that are wrong, each in one way, and the cases that notice."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
from tfaas_plugins.protocols.private_pool import message_class

from tests.server.changing_calls import CallChange

Messages = Callable[[Any], Any]

_INFERENCE, _SERVING = "inference.", "tensorflow.serving."


class WrongCalls(NamedTuple):
    """What a server does, and the ids of cases that have to fail for it."""

    does: str
    change: CallChange
    noticed_by: tuple[str, ...]


def _parsed(change: Messages, method: str, kind: str) -> Callable[[str, bytes], bytes]:
    """Changes the messages of a method."""

    def changed(name: str, content: bytes) -> bytes:
        if name != method:
            return content
        message = message_class(kind).FromString(content)
        change(message)
        return bytes(message.SerializeToString())

    return changed


def inferring(change: Messages) -> CallChange:
    """Changes the answers to ModelInfer."""
    return CallChange(answered=_parsed(change, "ModelInfer", f"{_INFERENCE}ModelInferResponse"))


def asked_to_infer(change: Messages) -> CallChange:
    """Changes what ModelInfer is sent."""
    return CallChange(sent=_parsed(change, "ModelInfer", f"{_INFERENCE}ModelInferRequest"))


def streaming(change: Messages) -> CallChange:
    """Changes the answers in streams."""
    kind = f"{_INFERENCE}ModelStreamInferResponse"
    return CallChange(answered=_parsed(change, "ModelStreamInfer", kind))


def predicting(change: Messages) -> CallChange:
    """Changes the answers to Predict."""
    return CallChange(answered=_parsed(change, "Predict", f"{_SERVING}PredictResponse"))


def asked_to_predict(change: Messages) -> CallChange:
    """Changes what Predict is sent."""
    return CallChange(sent=_parsed(change, "Predict", f"{_SERVING}PredictRequest"))


def ending(code: Any, details: str = "no") -> CallChange:
    """Ends all that fails by one code."""
    return CallChange(ended=lambda _method, _code, _told: (code, details))


def _in_contents(message: Any) -> None:
    for output, raw in zip(message.outputs, message.raw_output_contents, strict=True):
        if output.datatype == "FP32":
            values = struct.unpack(f"<{len(raw) // 4}f", raw)
            output.contents.fp32_contents.extend(values)
    del message.raw_output_contents[:]


def _reversed(message: Any) -> None:
    message.raw_output_contents.reverse()


def _as_content(message: Any) -> None:
    for tensor in message.outputs.values():
        values = list(tensor.float_val)
        tensor.ClearField("float_val")
        tensor.tensor_content = struct.pack(f"<{len(values)}f", *values)


def _clear(*fields: str) -> Messages:
    def change(message: Any) -> None:
        for field in fields:
            message.ClearField(field)

    return change


def _clear_spec(field: str) -> Messages:
    return lambda message: message.model_spec.ClearField(field)


def _always_ready(name: str, content: bytes) -> bytes:
    return b"\x08\x01" if name == "ModelReady" else content


INFERENCE_CALLS = (
    WrongCalls(
        "answers in contents",
        inferring(_in_contents),
        ("oip.grpc.infer.raw", "oip.grpc.infer.contents", "oip.grpc.datatypes.raw_fp32"),
    ),
    WrongCalls("mixes up outputs", inferring(_reversed), ("oip.grpc.infer.two_inputs",)),
    WrongCalls("forgets ids", inferring(_clear("id")), ("oip.grpc.infer.id",)),
    WrongCalls(
        "does not tell the version", inferring(_clear("model_version")), ("oip.grpc.infer.version",)
    ),
    WrongCalls(
        "answers all outputs",
        asked_to_infer(_clear("outputs")),
        ("oip.grpc.infer.one_output", "oip.grpc.infer.classification"),
    ),
    WrongCalls(
        "is ready for all that there is not",
        CallChange(answered=_always_ready),
        ("oip.grpc.server.unknown_ready",),
    ),
    WrongCalls(
        "takes its clients' errors for its own",
        ending(grpc.StatusCode.INTERNAL),
        ("oip.grpc.errors.unknown_model", "oip.grpc.errors.no_inputs", "oip.grpc.errors.goes_on"),
    ),
    WrongCalls(
        "says that all which is wrong is wrong",
        ending(grpc.StatusCode.INVALID_ARGUMENT),
        ("oip.grpc.errors.unknown_is_not_found",),
    ),
    WrongCalls(
        "forgets ids in streams",
        streaming(lambda m: m.infer_response.ClearField("id")),
        ("oip.grpc.stream.one", "oip.grpc.stream.several", "oip.grpc.stream.id_of_error"),
    ),
    WrongCalls(
        "says nothing of errors in streams",
        streaming(_clear("error_message")),
        ("oip.grpc.stream.error", "oip.grpc.stream.id_of_error"),
    ),
)

SERVING_CALLS = (
    WrongCalls(
        "answers bytes",
        predicting(_as_content),
        ("tfserving.grpc.predict.typed", "tfserving.grpc.types.fp32"),
    ),
    WrongCalls(
        "does not tell the version",
        predicting(_clear_spec("version")),
        ("tfserving.grpc.predict.model_spec",),
    ),
    WrongCalls(
        "does not tell the signature",
        predicting(_clear_spec("signature_name")),
        ("tfserving.grpc.predict.model_spec",),
    ),
    WrongCalls(
        "answers all outputs",
        asked_to_predict(_clear("output_filter")),
        ("tfserving.grpc.predict.filter", "tfserving.grpc.errors.unknown_output"),
    ),
    WrongCalls(
        "does not know versions",
        asked_to_predict(_clear_spec("version")),
        ("tfserving.grpc.predict.version", "tfserving.grpc.errors.unknown_version"),
    ),
    WrongCalls(
        "does not know labels",
        asked_to_predict(_clear_spec("version_label")),
        ("tfserving.grpc.predict.label", "tfserving.grpc.errors.unknown_label"),
    ),
    WrongCalls(
        "does not know signatures",
        asked_to_predict(_clear_spec("signature_name")),
        ("tfserving.grpc.predict.signature", "tfserving.grpc.errors.unknown_signature"),
    ),
    WrongCalls(
        "says nothing",
        ending(grpc.StatusCode.INVALID_ARGUMENT, ""),
        ("tfserving.grpc.errors.says_why", "tfserving.grpc.errors.unknown_model"),
    ),
    WrongCalls(
        "takes its clients' errors for its own",
        ending(grpc.StatusCode.UNKNOWN),
        ("tfserving.grpc.examples.empty", "tfserving.grpc.status.unknown_model"),
    ),
)
