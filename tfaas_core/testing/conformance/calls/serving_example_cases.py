"""Cases: examples, and the status and the metadata of models, over gRPC."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.calls.asks import ANSWERED, INVALID, code
from tfaas_core.testing.conformance.calls.serving import (
    example,
    examples_call,
    serving_call,
    spec_of,
    status_call,
)
from tfaas_core.testing.conformance.case import Group
from tfaas_core.testing.conformance.exchange import Ask
from tfaas_core.testing.conformance.expect import has_json, json_where
from tfaas_core.testing.conformance.models import AFFINE, EXAMPLES

_examples = Group("tfserving.grpc.examples")
_QUARTER, _ONE = example(x=0.25), example(x=1.0)
_PAIR = {"classes": [{"label": "low", "score": 0.75}, {"label": "high", "score": 0.25}]}


def _regressed(*values: float) -> Any:
    return has_json({"result": {"regressions": [{"value": value} for value in values]}})


def _tasks(*tasks: tuple[str, str], **fields: Any) -> Ask:
    listed = [
        {
            "model_spec": spec_of(EXAMPLES, signature_name=signature),
            "method_name": f"tensorflow/serving/{method}",
        }
        for signature, method in tasks
    ]
    given = {"example_list": {"examples": [_QUARTER]}}
    return serving_call("MultiInference", {"tasks": listed, "input": given, **fields}, EXAMPLES)


EXAMPLE_CALL_CASES = (
    _examples.must(
        "classify",
        "Each example is answered by classes and their scores.",
        examples_call("Classify", "classify", _QUARTER),
        ANSWERED,
        has_json({"result": {"classifications": [_PAIR]}}),
    ),
    _examples.must(
        "regress",
        "Each example is answered by a number.",
        examples_call("Regress", "serving_default", _QUARTER, _ONE),
        ANSWERED,
        _regressed(0.5, 2.0),
    ),
    _examples.must(
        "model_spec",
        "The answer names the model, and the version that answered.",
        examples_call("Regress", "serving_default", _ONE),
        ANSWERED,
        has_json({"model_spec": {"name": EXAMPLES, "version": "1"}}),
    ),
    _examples.must(
        "no_signature",
        "Without a signature, serving_default is asked.",
        examples_call("Regress", "", _ONE),
        ANSWERED,
        _regressed(2.0),
    ),
    _examples.must(
        "kinds",
        "Features may be whole numbers, or bytes.",
        examples_call("Regress", "length", example(s=b"four")),
        ANSWERED,
        _regressed(4.0),
    ),
    _examples.must(
        "context",
        "The context's features are those of each example; an example's own go before them.",
        examples_call("Regress", "", example(), _ONE, context=_QUARTER),
        ANSWERED,
        _regressed(0.5, 2.0),
    ),
    _examples.must(
        "multi",
        "Several signatures may be asked at once, and are answered in order.",
        _tasks(("serving_default", "regress"), ("classify", "classify")),
        ANSWERED,
        has_json(
            {
                "results": [
                    {"regression_result": {"regressions": [{"value": 0.5}]}},
                    {"classification_result": {"classifications": [_PAIR]}},
                ]
            }
        ),
    ),
    _examples.must(
        "empty",
        "There is one example at least.",
        examples_call("Regress", "serving_default"),
        INVALID,
    ),
    _examples.must(
        "missing_feature",
        "An example has what the model parses.",
        examples_call("Regress", "serving_default", example()),
        INVALID,
    ),
    _examples.must(
        "other_signature",
        "A signature gives what is asked for.",
        examples_call("Classify", "serving_default", _ONE),
        code("INVALID_ARGUMENT", "FAILED_PRECONDITION"),
    ),
    _examples.must(
        "unknown_signature",
        "A signature is one of the model's.",
        examples_call("Regress", "nobody", _ONE),
        code("INVALID_ARGUMENT", "FAILED_PRECONDITION"),
    ),
    _examples.must(
        "task_twice",
        "Each signature is asked once.",
        _tasks(("serving_default", "regress"), ("serving_default", "regress")),
        INVALID,
    ),
    _examples.must(
        "unknown_task",
        "A task is to classify or to regress.",
        _tasks(("serving_default", "predict")),
        code("UNIMPLEMENTED", "INVALID_ARGUMENT"),
    ),
)

_status = Group("tfserving.grpc.status")


def _versions(document: Any) -> list[str]:
    return sorted(entry["version"] for entry in document["model_version_status"])


STATUS_CALL_CASES = (
    _status.must(
        "model",
        "The status of all versions is told.",
        status_call(AFFINE),
        ANSWERED,
        json_where("versions 1 and 2", lambda d: _versions(d) == ["1", "2"]),
    ),
    _status.must(
        "version",
        "The status of a version is told alone.",
        status_call(AFFINE, 1),
        ANSWERED,
        has_json(
            {
                "model_version_status": [
                    {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK"}}
                ]
            }
        ),
    ),
    _status.must(
        "unknown_model",
        "The status of a model that is not there is NOT_FOUND.",
        status_call("nobody", is_there=False),
        code("NOT_FOUND"),
    ),
    _status.must(
        "unknown_version",
        "The status of a version that is not there is NOT_FOUND.",
        status_call(AFFINE, 77),
        code("NOT_FOUND"),
    ),
)

_metadata = Group("tfserving.grpc.metadata")
_SIGNATURES = ["signature_def"]


def _about(spec: dict[str, Any], model: str = AFFINE, **fields: Any) -> Ask:
    return serving_call("GetModelMetadata", {"model_spec": spec, **fields}, model)


METADATA_CALL_CASES = (
    _metadata.must(
        "signatures",
        "All signatures are there, with names, dtypes and shapes.",
        _about(spec_of(AFFINE), metadata_field=_SIGNATURES),
        ANSWERED,
        json_where(
            "serving_default and inverse, and DT_FLOAT [-1, 3] of x",
            lambda d: (
                d["metadata"]["signature_def"]["signature_def"].keys()
                >= {"serving_default", "inverse"}
                and _end(d)["dtype"] == "DT_FLOAT"
                and [dim["size"] for dim in _end(d)["tensor_shape"]["dim"]] == ["-1", "3"]
            ),
        ),
    ),
    _metadata.must(
        "model_spec",
        "The model and the version that are told of are named.",
        _about(spec_of(AFFINE, version=1), metadata_field=_SIGNATURES),
        ANSWERED,
        has_json({"model_spec": {"name": AFFINE, "version": "1"}}),
    ),
    _metadata.must(
        "no_field", "What metadata is asked for is named.", _about(spec_of(AFFINE)), INVALID
    ),
    _metadata.must(
        "unknown_field",
        "No metadata but signature_def may be asked for.",
        _about(spec_of(AFFINE), metadata_field=["weights"]),
        INVALID,
    ),
    _metadata.must(
        "unknown_model",
        "Metadata of a model that is not there is NOT_FOUND.",
        _about(spec_of("nobody"), "", metadata_field=_SIGNATURES),
        code("NOT_FOUND"),
    ),
)


def _end(document: Any) -> Any:
    signatures = document["metadata"]["signature_def"]["signature_def"]
    return signatures["serving_default"]["inputs"]["x"]
