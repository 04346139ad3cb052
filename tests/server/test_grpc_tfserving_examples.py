"""TensorFlow Serving's other methods, called by its own stubs; and rubbish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.server.protocol_models import NAME
from tests.server.serving_stubs import (
    DEADLINE_S,
    INVALID,
    Stubs,
    refused,
    serving_many,
    stubs_of,
)
from tfaas_core.testing.server import RunningServer


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving_many(tmp_path_factory.mktemp("serving")) as server:
        yield server


@pytest.fixture(scope="module")
def stubs(serving: RunningServer) -> Iterator[Stubs]:
    with stubs_of(serving) as stubs:
        yield stubs


def test_examples_are_regressed(stubs: Stubs) -> None:
    answer = stubs.regress(example_list={"examples": stubs.examples({"x": 1.5}, {"x": 2.0})})
    assert [each.value for each in answer.result.regressions] == [3, 4]
    assert answer.model_spec.signature_name == "regress"


def test_a_context_is_in_each_example_unless_that_says_otherwise(stubs: Stubs) -> None:
    (context,) = stubs.examples({"x": 5.0})
    examples = stubs.examples({}, {"x": 1.0})
    answer = stubs.regress(example_list_with_context={"examples": examples, "context": context})
    assert [each.value for each in answer.result.regressions] == [10, 2]


def test_examples_are_classified(stubs: Stubs) -> None:
    request = stubs.classification_pb2.ClassificationRequest(model_spec=stubs.spec("classify"))
    request.input.example_list.examples.extend(stubs.examples({"x": 0.25}, {"x": 0.5}))
    answer = stubs.predictions.Classify(request, timeout=DEADLINE_S)
    told = [[(c.label, c.score) for c in row.classes] for row in answer.result.classifications]
    assert told == [[("", 0.25), ("", 0.75)], [("", 0.5), ("", 0.5)]]


def multi(stubs: Stubs, *tasks: tuple[str, str]) -> Any:
    request = stubs.inference_pb2.MultiInferenceRequest()
    request.input.example_list.examples.extend(stubs.examples({"x": 0.25}))
    for signature, verb in tasks:
        method = f"tensorflow/serving/{verb}"
        request.tasks.add(model_spec=stubs.spec(signature), method_name=method)
    return request


def test_several_signatures_at_once(stubs: Stubs) -> None:
    request = multi(stubs, ("regress", "regress"), ("classify", "classify"))
    first, second = stubs.predictions.MultiInference(request, timeout=DEADLINE_S).results
    assert [each.value for each in first.regression_result.regressions] == [0.5]
    (row,) = second.classification_result.classifications
    assert [each.score for each in row.classes] == [0.25, 0.75]
    assert second.model_spec.signature_name == "classify"
    assert second.model_spec.version.value == 123


def test_tasks_that_are_refused(stubs: Stubs) -> None:
    call = stubs.predictions.MultiInference
    assert refused(call, multi(stubs))[0] == INVALID
    twice = multi(stubs, ("regress", "regress"), ("regress", "classify"))
    assert refused(call, twice) == (INVALID, "Duplicate evaluation of signature: regress")
    other = multi(stubs, ("regress", "predict"))
    told = "Unsupported signature method_name: tensorflow/serving/predict"
    assert refused(call, other) == (grpc.StatusCode.UNIMPLEMENTED, told)
    unknown = multi(stubs, ("regress", "regress"), ("nothing", "classify"))
    told = "No signature was found with the name: nothing"
    assert refused(call, unknown) == (INVALID, told)
    models = multi(stubs, ("regress", "regress"), ("classify", "classify"))
    models.tasks[1].model_spec.name = "other"
    told = "All ModelSpecs in a MultiInferenceRequest must access the same model name."
    assert refused(call, models) == (INVALID, told)


def test_examples_that_are_refused(stubs: Stubs) -> None:
    request = stubs.regression_pb2.RegressionRequest(model_spec=stubs.spec("regress"))
    assert refused(stubs.predictions.Regress, request) == (INVALID, "Input is empty.")
    request.input.example_list.examples.extend(stubs.examples({"x": 1.0}))
    request.model_spec.signature_name = "nothing"
    told = "No signature was found with the name: nothing"
    assert refused(stubs.predictions.Regress, request) == (INVALID, told)
    request.model_spec.signature_name = ""
    code, sentence = refused(stubs.predictions.Regress, request)
    assert code == INVALID
    assert "Expected one input, called 'inputs'" in sentence


def test_a_context_that_would_fill_the_memory_is_refused(stubs: Stubs) -> None:
    request = stubs.regression_pb2.RegressionRequest(model_spec=stubs.spec("regress"))
    wide = request.input.example_list_with_context
    wide.context.features.feature["c"].bytes_list.value.append(b"c" * 1_000_000)
    wide.examples.extend(stubs.examples(*[{}] * 20_000))
    code, sentence = refused(stubs.predictions.Regress, request)
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "each with the context" in sentence


# What there is.


def test_the_metadata_is_what_rest_tells(stubs: Stubs, serving: RunningServer) -> None:
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

    request = stubs.metadata_pb2.GetModelMetadataRequest(
        model_spec=stubs.spec(), metadata_field=["signature_def"]
    )
    answer = stubs.predictions.GetModelMetadata(request, timeout=DEADLINE_S)
    assert (answer.model_spec.name, answer.model_spec.version.value) == (NAME, 123)
    signatures = stubs.metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    rest = serving.http.get(f"/v1/models/{NAME}/metadata").json()["metadata"]["signature_def"]
    told = MessageToDict(
        signatures, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert told == rest


def test_metadata_that_is_refused(stubs: Stubs) -> None:
    call, request = stubs.predictions.GetModelMetadata, stubs.metadata_pb2.GetModelMetadataRequest()
    assert refused(call, request) == (INVALID, "Missing ModelSpec")
    request.model_spec.CopyFrom(stubs.spec())
    told = "GetModelMetadataRequest must specify at least one metadata_field"
    assert refused(call, request) == (INVALID, told)
    request.metadata_field.append("weights")
    assert refused(call, request) == (INVALID, "Metadata field weights is not supported")


def test_the_status(stubs: Stubs) -> None:
    request = stubs.status_pb2.GetModelStatusRequest(model_spec=stubs.spec())
    (status,) = stubs.models.GetModelStatus(request, timeout=DEADLINE_S).model_version_status
    state = stubs.status_pb2.ModelVersionStatus.State.Name(status.state)
    assert (status.version, state, status.status.error_code) == (123, "AVAILABLE", 0)
    request.model_spec.version.value = 7
    told = f"Could not find version 7 of model {NAME}"
    assert refused(stubs.models.GetModelStatus, request) == (grpc.StatusCode.NOT_FOUND, told)
    request.model_spec.name = "nobody"
    request.model_spec.ClearField("version")
    told = "Could not find any versions of model nobody"
    assert refused(stubs.models.GetModelStatus, request) == (grpc.StatusCode.NOT_FOUND, told)


def test_nobody_changes_which_models_are_served_unless_an_operator_allows_it(stubs: Stubs) -> None:
    from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

    code, sentence = refused(stubs.models.HandleReloadConfigRequest, ReloadConfigRequest())
    assert code == grpc.StatusCode.UNIMPLEMENTED
    assert "reload_config = true of [plugins.tfserving] in tfaas.toml allows it" in sentence


# Rubbish.

METHODS = [
    *(f"PredictionService/{name}" for name in ("Predict", "Classify", "Regress")),
    *("PredictionService/MultiInference", "PredictionService/GetModelMetadata"),
    "ModelService/GetModelStatus",
]


def raw(stubs: Stubs, method: str) -> Any:
    return stubs.channel.unary_unary(f"/tensorflow.serving.{method}")


def test_very_many_inputs_or_tasks_are_refused_soon(stubs: Stubs) -> None:
    request = stubs.predict_pb2.PredictRequest(model_spec=stubs.spec())
    for index in range(50_000):
        request.inputs[str(index)].dtype = 1
    told = "the request has more than 4096 inputs"
    assert refused(stubs.predictions.Predict, request) == (INVALID, told)
    tasks = multi(stubs, *((str(index), "regress") for index in range(50_000)))
    told = "No signature was found with the name: 0"
    assert refused(stubs.predictions.MultiInference, tasks) == (INVALID, told)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff" * 100,
        b"\x0a\xff\xff\xff\xff\x0f",
        b"{}",
        b"\x0a\x03\x0a\x01\xff",
        b"\x12\x00" * 1_000_000,
        b"\x0a\x00" * 1_000_001,
        b"\x0a\x80\x89\x7a" + b"\x0a\x00" * 1_000_000,
        b"\x12\x80\x89\x7a" + b"\x0a\x00" * 1_000_000,
        b"\x0a\x06\x0a\x04many\x12\x84\x89\x7a\x0a\x80\x89\x7a" + b"\x0a\x00" * 1_000_000,
    ],
    ids=[
        "empty",
        "ones",
        "long",
        "json",
        "no utf-8",
        "inputs",
        "specs",
        "spec",
        "input",
        "examples",
    ],
)
def test_rubbish_is_the_clients_error(stubs: Stubs, method: str, body: bytes) -> None:
    code, sentence = refused(raw(stubs, method), body)
    assert code in (INVALID, grpc.StatusCode.RESOURCE_EXHAUSTED), sentence
    assert sentence
