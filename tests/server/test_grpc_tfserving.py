"""TensorFlow Serving's services, called by its own stubs; and rubbish."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from tests.server.protocol_models import NAME, many_signatures, upload_bundle
from tfaas_core.testing.server import RunningServer, running_server

INVALID = grpc.StatusCode.INVALID_ARGUMENT
DEADLINE_S = 60


class Stubs:
    """TensorFlow Serving's stubs, and messages for the model ``many``."""

    def __init__(self, channel: Any) -> None:
        import tensorflow as tf
        from tensorflow_serving.apis import (
            classification_pb2,
            get_model_metadata_pb2,
            get_model_status_pb2,
            inference_pb2,
            model_pb2,
            model_service_pb2_grpc,
            predict_pb2,
            prediction_service_pb2_grpc,
            regression_pb2,
        )

        self.channel = channel
        self.tf: Any = tf
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(channel)
        self.predict_pb2: Any = predict_pb2
        self.classification_pb2: Any = classification_pb2
        self.regression_pb2: Any = regression_pb2
        self.inference_pb2: Any = inference_pb2
        self.metadata_pb2: Any = get_model_metadata_pb2
        self.status_pb2: Any = get_model_status_pb2
        self.model_pb2: Any = model_pb2

    def spec(self, signature: str = "", **fields: Any) -> Any:
        return self.model_pb2.ModelSpec(name=NAME, signature_name=signature, **fields)

    def request(self, signature: str = "", /, *, outputs: Any = (), **inputs: Any) -> Any:
        request = self.predict_pb2.PredictRequest(
            model_spec=self.spec(signature), output_filter=outputs
        )
        for name, value in inputs.items():
            is_message = isinstance(value, self.tensor())
            request.inputs[name].CopyFrom(value if is_message else self.tf.make_tensor_proto(value))
        return request

    def predict(self, signature: str = "", /, **inputs: Any) -> dict[str, Any]:
        answer = self.predictions.Predict(self.request(signature, **inputs), timeout=DEADLINE_S)
        return {name: self.tf.make_ndarray(value) for name, value in answer.outputs.items()}

    def tensor(self) -> Any:
        return type(self.predict_pb2.PredictRequest().inputs["x"])

    def examples(self, *examples: dict[str, float]) -> list[Any]:
        made = []
        for each in examples:
            example = self.tf.train.Example()
            for name, value in each.items():
                example.features.feature[name].float_list.value.append(value)
            made.append(example)
        return made

    def regress(self, signature: str = "regress", **kind: Any) -> Any:
        request = self.regression_pb2.RegressionRequest(model_spec=self.spec(signature))
        for name, fields in kind.items():
            field = getattr(request.input, name)
            field.SetInParent()
            field.examples.extend(fields["examples"])
            if "context" in fields:
                field.context.CopyFrom(fields["context"])
        return self.predictions.Regress(request, timeout=DEADLINE_S)


def refused(call: Any, *arguments: Any, **more: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as error:
        call(*arguments, timeout=DEADLINE_S, **more)
    return error.value.code(), error.value.details()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("serving")
    with running_server(folder, "server.workers=2", "plugins.grpc.port=0") as server:
        bundle = many_signatures(folder)
        assert upload_bundle(server, bundle, version=123).status_code == 200
        labelled = server.http.put(f"/models/{NAME}/labels/stable", json={"version": 123})
        assert labelled.status_code == 200
        yield server


@pytest.fixture(scope="module")
def stubs(serving: RunningServer) -> Iterator[Stubs]:
    found = re.search(r"grpc at ([\d.:]+)", serving.start_line)
    assert found is not None
    with grpc.insecure_channel(found[1]) as channel:
        yield Stubs(channel)


def test_a_prediction_and_who_made_it(stubs: Stubs) -> None:
    answer = stubs.predictions.Predict(stubs.request(x=[[1.0, 2.0]]), timeout=DEADLINE_S)
    output = answer.outputs["y"]
    # Hand-written clients read the field of the dtype.
    assert list(output.float_val) == [2, 4]
    assert not output.tensor_content
    assert [dim.size for dim in output.tensor_shape.dim] == [1, 2]
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == (NAME, 123, "serving_default")


@pytest.mark.parametrize(
    ("signature", "inputs", "outputs"),
    [
        ("", {"x": [[1.0, 2.0], [3.0, 4.5]]}, {"y": [[2, 4], [6, 9]]}),
        # Not of the declared shape, but the graph takes it.
        ("", {"x": [1.0, 2.0, 5.0]}, {"y": [2, 4, 10]}),
        ("", {"x": 3.0}, {"y": 6}),
        ("total", {"x": [[1.0, 2.0], [3.0, 4.0]]}, {"sum": 10}),
        ("pair", {"a": [1.0], "b": [2.0]}, {"sum": [3], "twice": [4]}),
        (
            "exact",
            {"x": np.array([9007199254740993, -(2**63)])},
            {"y": [9007199254740993, -(2**63)]},
        ),
        ("truth", {"x": [True, False]}, {"y": [True, False]}),
        ("text", {"x": [b"a", b"\xff"]}, {"y": [b"a", b"\xff"], "y_bytes": [b"a", b"\xff"]}),
        ("half", {"x": np.array([1.5, -2], np.float16)}, {"y": [1.5, -2]}),
    ],
)
def test_predictions(stubs: Stubs, signature: str, inputs: Any, outputs: Any) -> None:
    told = stubs.predict(signature, **inputs)
    assert {name: array.tolist() for name, array in told.items()} == outputs


def test_bfloat16_stays_bfloat16(stubs: Stubs) -> None:
    brain = stubs.tf.bfloat16.as_numpy_dtype
    told = stubs.predict("brain", x=np.array([1.5, -3.25], brain))
    assert told["y"].dtype == brain
    assert told["y"].tolist() == [1.5, -3.25]


def test_values_that_are_typed_are_read_and_the_last_one_repeats(stubs: Stubs) -> None:
    tensor = stubs.tensor()(dtype="DT_FLOAT", float_val=[1.0, 2.5])
    for size in (2, 2):
        tensor.tensor_shape.dim.add(size=size)
    assert stubs.predict(x=tensor)["y"].tolist() == [[2, 5], [5, 5]]


def test_outputs_that_are_asked_for(stubs: Stubs) -> None:
    request = stubs.request("pair", outputs=["twice"], a=[1.0], b=[2.0])
    assert list(stubs.predictions.Predict(request, timeout=DEADLINE_S).outputs) == ["twice"]


def test_versions_and_labels(stubs: Stubs) -> None:
    request = stubs.request(x=[[1.0, 2.0]])
    request.model_spec.version.value = 123
    assert stubs.predictions.Predict(request, timeout=DEADLINE_S).model_spec.version.value == 123
    request.model_spec.version.value = 7
    assert refused(stubs.predictions.Predict, request) == (
        grpc.StatusCode.NOT_FOUND,
        f"Servable not found for request: Specific({NAME}, 7)",
    )
    request.model_spec.version_label = "stable"
    assert stubs.predictions.Predict(request, timeout=DEADLINE_S).model_spec.version.value == 123
    request.model_spec.version_label = "canary"
    told = refused(stubs.predictions.Predict, request)
    assert told == (INVALID, "Unrecognized servable version label: canary")


def test_large_tensors_of_all_kinds(stubs: Stubs) -> None:
    rows = np.arange(200_000, dtype=np.float32).reshape(1000, -1)
    np.testing.assert_array_equal(stubs.predict(x=rows)["y"], rows * 2)
    whole = np.arange(-100_000, 100_000).reshape(2, -1)
    np.testing.assert_array_equal(stubs.predict("exact", x=whole)["y"], whole)
    typed = stubs.tensor()(dtype="DT_INT64", int64_val=whole.ravel().tolist())
    for size in whole.shape:
        typed.tensor_shape.dim.add(size=size)
    np.testing.assert_array_equal(stubs.predict("exact", x=typed)["y"], whole)


def sent(stubs: Stubs, **fields: Any) -> Any:
    tensor = stubs.tensor()(**fields)
    tensor.tensor_shape.dim.add(size=2)
    return tensor


@pytest.mark.parametrize(
    ("signature", "inputs", "told"),
    [
        ("", {}, "Sent extra: {}. Missing but required: {x}."),
        ("", {"x": 1.0, "z": 1.0}, "Sent extra: {z}. Missing but required: {}."),
        (
            "pair",
            {"a": 1.0},
            "1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: {b}.",
        ),
        ("", {"x": np.array([1.0, 2.0])}, "input 'x' is DT_DOUBLE, the signature takes DT_FLOAT"),
        ("exact", {"x": [b"1"]}, "input 'x' is DT_STRING, the signature takes DT_INT64"),
        ("", {"x": {"dtype": 1, "tensor_content": b"12345"}}, "has 5 bytes, DT_FLOAT of its shape"),
        ("", {"x": {"dtype": 1, "double_val": [1.0]}}, "values are in double_val"),
        ("", {"x": {"dtype": 20}}, "DT_RESOURCE is not served"),
    ],
)
def test_tensors_that_are_refused(stubs: Stubs, signature: str, inputs: Any, told: str) -> None:
    values = {n: sent(stubs, **v) if isinstance(v, dict) else v for n, v in inputs.items()}
    if "x" in values and isinstance(values["x"], float):
        values["x"] = np.float32(values["x"])
    code, sentence = refused(stubs.predictions.Predict, stubs.request(signature, **values))
    assert code == INVALID
    assert told in sentence


def test_what_the_graph_does_not_take_is_told_in_tensorflows_words(stubs: Stubs) -> None:
    request = stubs.request("pair", a=np.ones(2, np.float32), b=np.ones(3, np.float32))
    code, sentence = refused(stubs.predictions.Predict, request)
    assert code == INVALID
    assert "Incompatible shapes" in sentence


def test_a_few_bytes_that_stand_for_too_many_are_refused(stubs: Stubs) -> None:
    tensor = stubs.tensor()(dtype="DT_FLOAT", float_val=[1.0])
    tensor.tensor_shape.dim.add(size=1 << 40)
    code, sentence = refused(stubs.predictions.Predict, stubs.request(x=tensor))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "the inputs have 4398046511104 bytes by their shapes" in sentence


def test_a_string_that_stands_for_too_many_is_refused(stubs: Stubs) -> None:
    tensor = stubs.tensor()(dtype="DT_STRING", string_val=[b"s" * 1_000_000])
    tensor.tensor_shape.dim.add(size=100_000)
    code, sentence = refused(stubs.predictions.Predict, stubs.request("text", x=tensor))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "bytes by their shapes" in sentence


def test_specs_that_are_refused(stubs: Stubs) -> None:
    predict, request = stubs.predictions.Predict, stubs.predict_pb2.PredictRequest()
    assert refused(predict, request) == (INVALID, "Missing ModelSpec")
    request.model_spec.SetInParent()
    assert refused(predict, request) == (INVALID, "ModelSpec has no name specified.")
    request.model_spec.name = "nobody"
    unknown = "Servable not found for request: Latest(nobody)"
    assert refused(predict, request) == (grpc.StatusCode.NOT_FOUND, unknown)
    request.model_spec.CopyFrom(stubs.spec("nothing"))
    assert refused(predict, request) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        'Serving signature key "nothing" not found.',
    )


def test_output_filters_that_are_refused(stubs: Stubs) -> None:
    predict = stubs.predictions.Predict
    one = np.float32(1)
    code, sentence = refused(predict, stubs.request("pair", outputs=["z"], a=one, b=one))
    assert (code, sentence) == (
        INVALID,
        "output tensor alias not found in signature: z Outputs expected to be in the set "
        "{sum,twice}.",
    )
    twice = stubs.request("pair", outputs=["sum", "sum"], a=one, b=one)
    assert refused(predict, twice) == (INVALID, "duplicate output tensor alias: sum")


# Examples.


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
