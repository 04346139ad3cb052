"""Cases: what is wrong with an inference over gRPC is the client's error."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.calls.asks import (
    ANSWERED,
    INFERENCE,
    INVALID,
    code,
    grpc_call,
)
from tfaas_core.testing.conformance.calls.inference import (
    infer_call,
    infer_document,
)
from tfaas_core.testing.conformance.case import Case, Group, probe
from tfaas_core.testing.conformance.exchange import Ask
from tfaas_core.testing.conformance.models import AFFINE, PAIR
from tfaas_core.testing.conformance.oip.asks import ROW, A, B
from tfaas_core.testing.conformance.oip.tensors import Tensor

_NOT_THERE = code("NOT_FOUND", "INVALID_ARGUMENT", "UNAVAILABLE")

_errors = Group("oip.grpc.errors")
_X = infer_document(AFFINE, ROW)


def _wrong(name: str, sentence: str, model: str, *tensors: Tensor, **fields: Any) -> Case:
    return _errors.must(name, sentence, infer_call(model, *tensors, **fields), INVALID)


def _changed(name: str, sentence: str, **fields: Any) -> Case:
    """A request for the affine model with other fields."""
    ask = grpc_call(INFERENCE, "ModelInfer", {**_X, **fields}, AFFINE)
    return _errors.must(name, sentence, ask, INVALID)


def _unknown(**fields: str) -> Ask:
    return grpc_call(INFERENCE, "ModelInfer", {**_X, **fields})


_INPUT = _X["inputs"][0]

GRPC_ERROR_CASES = (
    _errors.must(
        "unknown_model",
        "A model that is not there is refused.",
        _unknown(model_name="nobody"),
        _NOT_THERE,
    ),
    _errors.must(
        "unknown_version",
        "A version that is not there is refused.",
        _unknown(model_version="77"),
        _NOT_THERE,
    ),
    _errors.should(
        "unknown_is_not_found",
        "The code of a model that is not there is NOT_FOUND.",
        _unknown(model_name="nobody"),
        code("NOT_FOUND"),
    ),
    _errors.must(
        "no_version", "A version is a number.", _unknown(model_version="newest"), _NOT_THERE
    ),
    _wrong("no_inputs", "A request has inputs.", AFFINE),
    _wrong("missing_input", "All inputs of the model are there.", PAIR, A),
    _wrong("input_twice", "No input is there twice.", PAIR, A, B, A),
    _wrong(
        "unknown_input",
        "Each input is one of the model's.",
        AFFINE,
        Tensor("z", "FP32", [1, 3], [1, 2, 3]),
    ),
    _wrong(
        "other_datatype",
        "Each input has the model's datatype.",
        AFFINE,
        Tensor("x", "FP64", [1, 3], [1, 2, 3]),
    ),
    _wrong(
        "other_size",
        "Each input has a shape that the model takes.",
        AFFINE,
        Tensor("x", "FP32", [1, 2], [1, 2]),
    ),
    _wrong(
        "unknown_output", "Each output is one of the model's.", AFFINE, ROW, outputs=[{"name": "z"}]
    ),
    _changed(
        "negative_size", "No axis of a shape is negative.", inputs=[{**_INPUT, "shape": [-1, 3]}]
    ),
    _changed(
        "unknown_datatype",
        "A datatype is one of the protocol's.",
        inputs=[{**_INPUT, "datatype": "FLOAT"}],
    ),
    _changed(
        "too_few_bytes",
        "There are as many raw bytes as the shape has.",
        raw_input_contents=[b"\0" * 8],
    ),
    _changed(
        "too_many_bytes",
        "There are no more raw bytes than the shape has.",
        raw_input_contents=[b"\0" * 16],
    ),
    _changed(
        "too_many_entries",
        "There are as many raw entries as inputs.",
        raw_input_contents=[b"\0" * 12] * 2,
    ),
    _changed("no_values", "Each input has values.", raw_input_contents=[]),
    _changed(
        "both_forms",
        "Values are raw or in contents, and not both.",
        inputs=[{**_INPUT, "contents": {"fp32_contents": [1, 2, 3]}}],
    ),
    _changed(
        "other_contents",
        "Contents are in the field of the datatype.",
        inputs=[{**_INPUT, "contents": {"int_contents": [1, 2, 3]}}],
        raw_input_contents=[],
    ),
    _changed(
        "too_few_contents",
        "There are as many contents as the shape has.",
        inputs=[{**_INPUT, "contents": {"fp32_contents": [1, 2]}}],
        raw_input_contents=[],
    ),
    _errors.must(
        "goes_on",
        "After an error, the server answers as before.",
        probe(infer_call(AFFINE), INVALID),
        probe(infer_call(AFFINE, ROW), ANSWERED),
    ),
)
