"""TensorFlow Serving's Predict, called by its own stubs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
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
