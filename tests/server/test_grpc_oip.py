"""The Open Inference Protocol over gRPC: tritonclient, and what it never sends."""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from tritonclient import grpc as triton
from tritonclient.grpc import aio as triton_aio
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from tests.server.grpc_calls import (
    INFER,
    InferRequest,
    InferResponse,
    address,
    called,
    channel_to,
    infer_request,
    refused,
)
from tests.server.protocol_models import NAME, many_signatures, upload_bundle
from tfaas_core.testing.server import RunningServer, running_server

FLOATS = np.array([[1, 2], [3, 4]], np.float32)
LIMITED = "limits.max_values=1000"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("oip")
    settings = ("server.workers=2", "plugins.oip.model_control=true", "plugins.grpc.port=0")
    with running_server(folder, *settings, LIMITED) as running:
        assert upload_bundle(running, many_signatures(folder)).status_code == 200
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[Any]:
    with triton.InferenceServerClient(address(server)) as made:
        yield made


def tensor(name: str, array: np.ndarray[Any, Any], datatype: str = "") -> Any:
    made = triton.InferInput(name, array.shape, datatype or np_to_triton_dtype(array.dtype))
    return made.set_data_from_numpy(array)


def test_what_there_is(server: RunningServer, client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(NAME)
    assert not client.is_model_ready("nobody")
    over_rest = server.http.get("/v2").json()
    told = client.get_server_metadata(as_json=True)
    assert told == over_rest
    assert "model_configuration" in told["extensions"]
    assert not [each for each in told["extensions"] if "shared_memory" in each]
    metadata = client.get_model_metadata(NAME, as_json=True)
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": ["-1", "2"]}]
    assert client.get_log_settings(as_json=True)["settings"]["log_info"]


def test_the_configuration_is_the_same_over_rest(server: RunningServer, client: Any) -> None:
    config = client.get_model_config(NAME, as_json=True)["config"]
    assert config["max_batch_size"] == 1024
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": ["2"]}]
    over_rest = server.http.get(f"/v2/models/{NAME}/config").json()
    assert over_rest["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [2]}]
    assert over_rest.keys() == config.keys()
    with pytest.raises(InferenceServerException, match="NOT_FOUND"):
        client.get_model_config("nobody")


def test_inference_and_statistics_of_both_ways_together(server: RunningServer, client: Any) -> None:
    before = count(client)
    told = client.infer(NAME, [tensor("x", FLOATS)], request_id="mine")
    assert told.as_numpy("y").tolist() == (FLOATS * 2).tolist()
    response = told.get_response()
    assert (response.id, response.model_version) == ("mine", "1")
    body = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}
    assert server.http.post(f"/v2/models/{NAME}/infer", json=body).status_code == 200
    assert count(client) == before + 2


def count(client: Any) -> int:
    (stats,) = client.get_inference_statistics(NAME).model_stats
    return int(stats.inference_stats.success.count)


@pytest.mark.parametrize(
    ("signature", "array"),
    [
        ("exact", np.array([2**63 - 1, -(2**63)], np.int64)),
        ("truth", np.array([True, False])),
        ("half", np.array([1.5, float("inf")], np.float16)),
        ("brain", np.array([1.5, -2], ml_dtypes.bfloat16)),
        ("exact", np.zeros(0, np.int64)),
    ],
)
def test_datatypes_come_back_as_they_went(
    client: Any, signature: str, array: np.ndarray[Any, Any]
) -> None:
    parameters = {"signature_name": signature}
    told = client.infer(NAME, [tensor("x", array)], parameters=parameters)
    found = told.as_numpy("y")
    assert (found.dtype, found.tolist()) == (array.dtype, array.tolist())


def test_strings_are_bytes(client: Any) -> None:
    array = np.array([b"a\x00\xff", b"", "é".encode()], object)
    told = client.infer(NAME, [tensor("x", array)], parameters={"signature_name": "text"})
    assert told.as_numpy("y").tolist() == array.tolist()


def test_outputs_are_chosen_and_classified(client: Any) -> None:
    wanted = [triton.InferRequestedOutput("y", class_count=1)]
    told = client.infer(NAME, [tensor("x", FLOATS)], outputs=wanted)
    assert told.as_numpy("y").tolist() == [[b"4.000000:1"], [b"8.000000:1"]]
    with pytest.raises(InferenceServerException, match=r"INVALID_ARGUMENT.*there is no output 'z'"):
        client.infer(NAME, [tensor("x", FLOATS)], outputs=[triton.InferRequestedOutput("z")])


def test_compressed_messages_are_read(client: Any) -> None:
    for algorithm in ("gzip", "deflate"):
        told = client.infer(NAME, [tensor("x", FLOATS)], compression_algorithm=algorithm)
        assert told.as_numpy("y").tolist() == (FLOATS * 2).tolist()


def test_the_asynchronous_client_and_its_stream(server: RunningServer) -> None:
    async def ask() -> list[Any]:
        async with triton_aio.InferenceServerClient(address(server)) as client:
            told = await client.infer(NAME, [tensor("x", FLOATS)])
            assert told.as_numpy("y").tolist() == (FLOATS * 2).tolist()

            async def requests() -> Any:
                for name in (NAME, "nobody", NAME):
                    yield {"model_name": name, "inputs": [tensor("x", FLOATS)], "request_id": name}

            return [each async for each in client.stream_infer(requests())]

    first, second, third = asyncio.run(ask())
    for result, error in (first, third):
        assert error is None
        response = result.get_response()
        assert response.id == NAME
        assert response.parameters["triton_final_response"].bool_param
    assert "Request for unknown model: 'nobody' is not found" in str(second[1])


def test_a_stream_ends_at_an_error_if_the_client_wants_that(client: Any) -> None:
    answers: Any = queue.SimpleQueue()
    client.start_stream(
        lambda result, error: answers.put((result, error)), headers={"triton_grpc_error": "true"}
    )
    client.async_stream_infer("nobody", [tensor("x", FLOATS)])
    result, error = answers.get(timeout=30)
    assert result is None
    assert "NOT_FOUND" in str(error)
    client.stop_stream()


def test_models_are_loaded_and_unloaded(client: Any) -> None:
    client.unload_model(NAME)
    assert not client.is_model_ready(NAME)
    (entry,) = client.get_model_repository_index().models
    assert (entry.name, entry.state, entry.reason) == (NAME, "UNAVAILABLE", "unloaded")
    with pytest.raises(InferenceServerException, match="UNAVAILABLE"):
        client.infer(NAME, [tensor("x", FLOATS)])
    with pytest.raises(InferenceServerException, match=r"INVALID_ARGUMENT.*replace a model's"):
        client.load_model(NAME, config="{}")
    client.load_model(NAME)
    assert client.is_model_ready(NAME)


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.get_system_shared_memory_status(),
        lambda client: client.get_cuda_shared_memory_status(),
        lambda client: client.get_trace_settings(),
    ],
)
def test_what_is_not_served_is_unimplemented(client: Any, ask: Any) -> None:
    with pytest.raises(InferenceServerException, match="UNIMPLEMENTED"):
        ask(client)


# What tritonclient never sends.


def typed(datatype: str, field: str, values: list[Any], signature: str = "", **more: Any) -> bytes:
    tensor = {"name": "x", "datatype": datatype, "shape": [len(values)], **more}
    tensor["contents"] = {field: values}
    request = InferRequest(model_name=NAME, inputs=[tensor])
    if signature:
        request.parameters["signature_name"].string_param = signature
    return bytes(request.SerializeToString())


def test_contents_are_read_by_the_field_of_the_datatype(server: RunningServer) -> None:
    with channel_to(server) as channel:
        for message, raw in (
            (typed("FP32", "fp32_contents", [1, 2], shape=[1, 2]), "<f4"),
            (typed("INT64", "int64_contents", [2**62, -1], "exact"), "<i8"),
            (typed("BOOL", "bool_contents", [True, False], "truth"), "?"),
        ):
            response = InferResponse.FromString(called(channel, INFER, message))
            (content,) = response.raw_output_contents
            assert len(np.frombuffer(content, raw)) == 2
            assert not response.outputs[0].HasField("contents")
        text = typed("BYTES", "bytes_contents", [b"\xff"], "text")
        assert b"\x01\x00\x00\x00\xff" in called(channel, INFER, text)


def changed(**changes: Any) -> bytes:
    """A good request, but for what ``changes`` say of its tensor, or of it."""
    request = infer_request(NAME, FLOATS.tolist())
    for key, value in changes.items():
        if key == "raw":
            del request.raw_input_contents[:]
            request.raw_input_contents.extend(value)
        elif key == "shape":
            request.inputs[0].shape[:] = value
        elif key == "contents":
            request.inputs[0].contents.fp32_contents.extend(value)
        elif key == "shared":
            request.inputs[0].parameters["shared_memory_region"].string_param = value
        elif key == "empty":
            request.parameters["a"].SetInParent()
        elif key == "times":
            request.inputs.extend([request.inputs[0]] * value)
        else:
            setattr(request, key, value)
    return bytes(request.SerializeToString())


@pytest.mark.parametrize(
    ("message", "code", "sentence"),
    [
        (changed(raw=[bytes(15)]), "INVALID_ARGUMENT", "unexpected total byte size 15"),
        (changed(raw=[]), "INVALID_ARGUMENT", "unable to find data for input tensor 'x'"),
        (changed(raw=[b"", b""]), "INVALID_ARGUMENT", "unexpected additional input data"),
        (changed(contents=[1.0]), "INVALID_ARGUMENT", "contents field must not be specified"),
        (changed(raw=[], contents=[1.0]), "INVALID_ARGUMENT", "Shape does not match true shape"),
        (changed(shape=[1 << 62, 4]), "INVALID_ARGUMENT", "causes total element count to exceed"),
        (changed(shape=[-1, 2]), "INVALID_ARGUMENT", "contains one or more invalid dimensions"),
        (changed(shape=[1] * 1000), "INVALID_ARGUMENT", "exceed maximum size"),
        (changed(shape=[4, 1]), "INVALID_ARGUMENT", "unexpected shape for input 'x'"),
        (changed(shared="r"), "INVALID_ARGUMENT", "is in shared memory"),
        (changed(empty=1), "INVALID_ARGUMENT", "the parameter 'a' has no value"),
        (changed(times=5000, raw=[]), "INVALID_ARGUMENT", "at most 4096 are read"),
        (changed(model_version="v1"), "INVALID_ARGUMENT", "a version is a number, not 'v1'"),
        (changed(model_version="9"), "NOT_FOUND", "Request for unknown model: 'many' version 9"),
        (changed(model_name=""), "NOT_FOUND", "Request for unknown model: ''"),
        (
            typed("INT64", "int64_contents", [1] * 1001, "exact"),
            "RESOURCE_EXHAUSTED",
            "more than 1000 values in contents (limits.max_values)",
        ),
        (
            typed("BYTES", "bytes_contents", [b""] * 1001, "text"),
            "RESOURCE_EXHAUSTED",
            "more than 1000 values in contents (limits.max_values)",
        ),
        (typed("FP16", "fp32_contents", [1], "half"), "INVALID_ARGUMENT", "unexpected explicit"),
        (typed("INT8", "int_contents", [300], "exact"), "INVALID_ARGUMENT", "data-type is 'INT8'"),
        (b"\x2a\x00" * 1_000_000, "INVALID_ARGUMENT", "has more than 16384 fields"),
        (b"\x2a\x80\x80\x40" + b"\x22\x00" * (1 << 19), "RESOURCE_EXHAUSTED", "beside the values"),
        (changed() + b"\x3a\xff\xff\xff\x7f1", "INVALID_ARGUMENT", "the message is no inference"),
        (b"\x0a\x02\xff\xfe", "INVALID_ARGUMENT", "has text that is not UTF-8"),
    ],
)
def test_what_is_wrong_is_the_clients_error(
    server: RunningServer, message: bytes, code: str, sentence: str
) -> None:
    with channel_to(server) as channel:
        error = refused(channel, INFER, message)
    assert (error.code().name, sentence in error.details()) == (code, True), error.details()
    assert json.dumps(error.details())
