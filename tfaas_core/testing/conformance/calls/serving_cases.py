"""Cases: TensorFlow Serving over gRPC."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.calls.asks import ANSWERED, INVALID, code
from tfaas_core.testing.conformance.calls.serving import (
    predict_call,
    serving_call,
    tensors,
    typed,
)
from tfaas_core.testing.conformance.case import Case, Group, probe
from tfaas_core.testing.conformance.exchange import Ask
from tfaas_core.testing.conformance.expect import has_json, json_where
from tfaas_core.testing.conformance.models import (
    AFFINE,
    CANARY,
    HALVES,
    PAIR,
    STABLE,
    TEXT,
    TYPES,
)
from tfaas_core.testing.conformance.oip.tensors import tensor_bytes

_predict = Group("tfserving.grpc.predict")

_X = typed("DT_FLOAT", [1, 3], [1, 2, 3])
_Y = typed("DT_FLOAT", [1, 3], [3, 4, 5])
_Y1 = typed("DT_FLOAT", [1, 3], [2, 3, 4])
_A, _B = typed("DT_INT32", [1, 2], [10, 20]), typed("DT_INT32", [1, 2], [1, 2])
_SUM, _DIFFERENCE = typed("DT_INT32", [1, 2], [11, 22]), typed("DT_INT32", [1, 2], [9, 18])
_NOT_FOUND = code("NOT_FOUND")


def _content(dtype: str, shape: list[int], content: bytes) -> dict[str, Any]:
    sizes = [{"size": size} for size in shape]
    return {"dtype": dtype, "tensor_shape": {"dim": sizes}, "tensor_content": content}


def _affine(spec: dict[str, Any], **fields: Any) -> Ask:
    return predict_call(AFFINE, {"x": _X}, spec, **fields)


PREDICT_CALL_CASES = (
    _predict.must(
        "typed",
        "A tensor has its values in the field of its dtype, and is answered so: clients read it.",
        _affine({}),
        tensors(y=_Y),
    ),
    _predict.must(
        "content",
        "A tensor may have its values as bytes, in tensor_content.",
        predict_call(AFFINE, {"x": _content("DT_FLOAT", [1, 3], tensor_bytes("FP32", [1, 2, 3]))}),
        tensors(y=_Y),
    ),
    _predict.must(
        "short",
        "A field with fewer values repeats the last one.",
        predict_call(AFFINE, {"x": typed("DT_FLOAT", [2, 3], [1, 2])}),
        tensors(y=typed("DT_FLOAT", [2, 3], [3, 4, 4, 4, 4, 4])),
    ),
    _predict.must(
        "several",
        "There may be several inputs and outputs.",
        predict_call(PAIR, {"a": _A, "b": _B}),
        tensors(sum=_SUM, difference=_DIFFERENCE),
    ),
    _predict.must(
        "filter",
        "Outputs may be chosen.",
        predict_call(PAIR, {"a": _A, "b": _B}, output_filter=["sum"]),
        tensors(sum=_SUM),
    ),
    _predict.must(
        "model_spec",
        "The answer names the model, the version that answered, and the signature.",
        _affine({"version": 1}),
        ANSWERED,
        has_json(
            {"model_spec": {"name": AFFINE, "version": "1", "signature_name": "serving_default"}}
        ),
    ),
    _predict.must("version", "A version may be named.", _affine({"version": 1}), tensors(y=_Y1)),
    _predict.must(
        "label",
        "A label may be named.",
        probe(_affine({"version_label": STABLE}), tensors(y=_Y1)),
        probe(_affine({"version_label": CANARY}), tensors(y=_Y)),
    ),
    _predict.must(
        "signature",
        "A signature may be named.",
        predict_call(AFFINE, {"x": typed("DT_FLOAT", [2], [2, 4])}, {"signature_name": "inverse"}),
        tensors(y=typed("DT_FLOAT", [2], [0.5, 0.25])),
    ),
    _predict.must(
        "scalar",
        "A tensor without axes has one value.",
        predict_call(AFFINE, {"x": typed("DT_FLOAT", [], [4])}, {"signature_name": "scalar"}),
        tensors(y=typed("DT_FLOAT", [], [8])),
    ),
    _predict.must(
        "other_rank",
        "The shape that the signature declares is not enforced.",
        predict_call(AFFINE, {"x": typed("DT_FLOAT", [2], [1, 2])}),
        tensors(y=typed("DT_FLOAT", [2], [3, 4])),
    ),
    _predict.must(
        "strings",
        "Strings are bytes.",
        predict_call(
            TEXT, {"text": typed("DT_STRING", [2], [b"\xff\0", b""])}, {"signature_name": "plain"}
        ),
        tensors(copy=typed("DT_STRING", [2], [b"\xff\0", b""])),
    ),
)

_types = Group("tfserving.grpc.types")
_LARGE = 2**53 + 1


def _copied(signature: str, dtype: str, values: list[Any], model: str = TYPES) -> Case:
    tensor = typed(dtype, [len(values)], values)
    return _types.must(
        signature,
        f"Values of {dtype} are as they are.",
        predict_call(model, {"x": tensor}, {"signature_name": signature}),
        tensors(y=tensor),
    )


TYPE_CALL_CASES = (
    _copied("bool", "DT_BOOL", [True, False]),
    _copied("int8", "DT_INT8", [-128, 127]),
    _copied("int16", "DT_INT16", [-32768, 32767]),
    _copied("int32", "DT_INT32", [-(2**31), 2**31 - 1]),
    _copied("int64", "DT_INT64", [-(2**63), _LARGE, 2**63 - 1]),
    _copied("uint8", "DT_UINT8", [0, 255]),
    _copied("uint16", "DT_UINT16", [0, 65535]),
    _copied("uint32", "DT_UINT32", [0, 2**32 - 1]),
    _copied("uint64", "DT_UINT64", [0, _LARGE, 2**64 - 1]),
    _copied("fp32", "DT_FLOAT", [0.0, -1.5, 1e30]),
    _copied("fp64", "DT_DOUBLE", [0.1, -1e300]),
    # The bits of 1.5 and -2.
    _copied("fp16", "DT_HALF", [0x3E00, 0xC000], HALVES),
    _copied("bf16", "DT_BFLOAT16", [0x3FC0, 0xC000], HALVES),
)

_errors = Group("tfserving.grpc.errors")


def _wrong(name: str, sentence: str, ask: Ask) -> Case:
    return _errors.must(name, sentence, ask, INVALID)


def _without_model(spec: dict[str, Any]) -> Ask:
    return serving_call("Predict", {"model_spec": spec, "inputs": {"x": _X}})


ERROR_CALL_CASES = (
    _errors.must(
        "unknown_model",
        "A model that is not there is NOT_FOUND.",
        _without_model({"name": "nobody"}),
        _NOT_FOUND,
    ),
    _errors.must(
        "unknown_version",
        "A version that is not there is NOT_FOUND.",
        _without_model({"name": AFFINE, "version": 77}),
        _NOT_FOUND,
    ),
    _wrong(
        "unknown_label",
        "A label that is not there is the client's error.",
        _without_model({"name": AFFINE, "version_label": "nobody"}),
    ),
    _wrong(
        "no_spec", "A request has a model_spec.", serving_call("Predict", {"inputs": {"x": _X}})
    ),
    _wrong("no_name", "A model_spec names a model.", _without_model({"signature_name": "x"})),
    _errors.must(
        "unknown_signature",
        "A signature is one of the model's.",
        _affine({"signature_name": "nobody"}),
        code("FAILED_PRECONDITION", "INVALID_ARGUMENT"),
    ),
    _errors.should(
        "unknown_signature_code",
        "The code of a signature that is not there is FAILED_PRECONDITION.",
        _affine({"signature_name": "nobody"}),
        code("FAILED_PRECONDITION"),
    ),
    _wrong("missing_input", "All inputs are there.", predict_call(PAIR, {"a": _A})),
    _wrong(
        "unknown_input",
        "There are no inputs but those of the signature.",
        predict_call(AFFINE, {"x": _X, "z": _X}),
    ),
    _wrong(
        "other_dtype",
        "Each input has the signature's dtype.",
        predict_call(AFFINE, {"x": typed("DT_DOUBLE", [1, 3], [1, 2, 3])}),
    ),
    _wrong(
        "too_many_values",
        "A tensor has no more values than its shape has.",
        predict_call(AFFINE, {"x": typed("DT_FLOAT", [1, 3], [1, 2, 3, 4])}),
    ),
    _wrong(
        "other_content",
        "A tensor has as many bytes as its shape has.",
        predict_call(AFFINE, {"x": _content("DT_FLOAT", [1, 3], b"\0" * 11)}),
    ),
    _wrong(
        "negative_size",
        "No axis of a shape is negative.",
        predict_call(AFFINE, {"x": typed("DT_FLOAT", [-1, 3], [1, 2, 3])}),
    ),
    _wrong(
        "unknown_output",
        "Each output that is chosen is one of the signature's.",
        _affine({}, output_filter=["nobody"]),
    ),
    _wrong("output_twice", "No output is chosen twice.", _affine({}, output_filter=["y", "y"])),
    _wrong(
        "graph",
        "What the graph cannot compute is the client's error.",
        predict_call(PAIR, {"a": _A, "b": typed("DT_INT32", [1, 3], [1, 2, 3])}),
    ),
    _errors.must(
        "says_why",
        "An error says why.",
        predict_call(PAIR, {"a": _A}),
        json_where("a sentence", lambda d: bool(d["error"].strip())),
    ),
    _errors.must(
        "goes_on",
        "After an error, the server answers as before.",
        probe(predict_call(PAIR, {"a": _A}), INVALID),
        probe(_affine({}), tensors(y=_Y)),
    ),
)
