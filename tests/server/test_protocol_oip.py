"""The Open Inference Protocol: requests as tritonclient sends them, and rubbish."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.server.protocol_models import NAME, many_signatures, upload_bundle
from tfaas_core.testing.server import RunningServer, running_server

LENGTH = "Inference-Header-Content-Length"
X: dict[str, Any] = {"name": "x", "shape": [1, 2], "datatype": "FP32"}
FLOATS = struct.pack("<2f", 1, 2)
DOUBLED = struct.pack("<2f", 2, 4)


@pytest.fixture(scope="module")
def oip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("oip")
    settings = ("server.workers=2", "plugins.oip.model_control=true")
    with running_server(folder, *settings) as server:
        bundle = many_signatures(folder)
        assert upload_bundle(server, bundle).status_code == 200
        yield server


def infer(
    server: RunningServer, document: dict[str, Any], tail: bytes | None = None, **headers: str
) -> httpx.Response:
    text = json.dumps(document).encode()
    if tail is not None:
        headers = {LENGTH: str(len(text)), **headers}
    content = text + (tail or b"")
    return server.http.post(f"/v2/models/{NAME}/infer", content=content, headers=headers)


def asked(name: str, datatype: str, data: list[Any], **parameters: Any) -> dict[str, Any]:
    tensor = {"name": "x", "shape": [len(data)], "datatype": datatype, "data": data}
    return {"inputs": [tensor], "parameters": {"signature_name": name, **parameters}}


def test_json_and_its_answer(oip: RunningServer) -> None:
    told = infer(oip, {"id": "mine", "inputs": [{**X, "data": [[1], 2.5]}]}).json()
    output = {"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [2.0, 5.0]}
    model = {"model_name": NAME, "model_version": "1"}
    assert told == {**model, "id": "mine", "outputs": [output]}


def test_binary_tensors_both_ways(oip: RunningServer) -> None:
    told = infer(
        oip,
        {
            "inputs": [{**X, "parameters": {"binary_data_size": 8}}],
            "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
        },
        FLOATS,
    )
    assert told.headers["content-type"] == "application/octet-stream"
    length = int(told.headers[LENGTH])
    (output,) = json.loads(told.content[:length])["outputs"]
    assert output["parameters"] == {"binary_data_size": 8}
    assert told.content[length:] == DOUBLED


def test_a_raw_request_is_the_one_input(oip: RunningServer) -> None:
    headers = {LENGTH: "0"}
    path = f"/v2/models/{NAME}/versions/1/infer"
    told = oip.http.post(path, content=FLOATS, headers=headers)
    assert told.content.endswith(DOUBLED)


@pytest.mark.parametrize(
    ("name", "datatype", "data"),
    [
        ("exact", "INT64", [2**63 - 1, -(2**63), 9007199254740993]),
        ("truth", "BOOL", [True, False]),
        ("half", "FP16", [0.5, -2.0]),
        ("brain", "BF16", [1.5, -2.0]),
    ],
)
def test_datatypes(oip: RunningServer, name: str, datatype: str, data: list[Any]) -> None:
    (output,) = infer(oip, asked(name, datatype, data)).json()["outputs"]
    assert (output["datatype"], output["data"]) == (datatype, data)


def test_strings_of_any_bytes(oip: RunningServer) -> None:
    raw = struct.pack("<I", 2) + b"\xff\0"
    document = asked("text", "BYTES", [""], binary_data_output=True)
    document["inputs"][0].pop("data")
    document["inputs"][0]["parameters"] = {"binary_data_size": len(raw)}
    told = infer(oip, document, raw)
    assert told.content.endswith(raw + raw)
    document["parameters"]["binary_data_output"] = False
    refused = infer(oip, document, raw)
    assert refused.status_code == 400
    assert "binary_data" in refused.json()["error"]


def test_the_highest_values(oip: RunningServer) -> None:
    outputs = [{"name": "y", "parameters": {"classification": 1}}]
    told = infer(oip, {"inputs": [{**X, "data": [3, 4]}], "outputs": outputs})
    (output,) = told.json()["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [1, 1])
    assert output["data"] == ["8.000000:1"]


@pytest.mark.parametrize(
    ("encoding", "packed"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compression_both_ways(oip: RunningServer, encoding: str, packed: Any) -> None:
    body = json.dumps({"inputs": [{**X, "data": [1, 2]}]}).encode()
    headers = {"Content-Encoding": encoding, "Accept-Encoding": f"{encoding}, br;q=0.9"}
    path = f"/v2/models/{NAME}/infer"
    told = oip.http.post(path, content=packed(body), headers=headers)
    assert told.headers["content-encoding"] == encoding
    assert told.json()["outputs"][0]["data"] == [2.0, 4.0]
    assert "content-encoding" not in oip.http.get(f"/v2/models/{NAME}", headers=headers).headers
    wrong = oip.http.post(path, content=b"x", headers=headers)
    assert (wrong.status_code, wrong.headers.get("content-encoding")) == (400, None)


def test_health_and_metadata(oip: RunningServer) -> None:
    assert oip.http.get("/v2/health/live").json() == {"live": True}
    assert oip.http.get("/v2/health/ready").json() == {"ready": True}
    assert "model_repository" in oip.http.get("/V2").json()["extensions"]
    assert oip.http.get(f"/v2/models/{NAME}/ready").json() == {"name": NAME, "ready": True}
    metadata = oip.http.get(f"/v2/models/{NAME}").json()
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
    assert metadata["versions"] == ["1"]


def test_statistics_are_of_all_workers(oip: RunningServer) -> None:
    def counts() -> tuple[int, int, int]:
        (stats,) = oip.http.get(f"/v2/models/{NAME}/stats").json()["model_stats"]
        inference = stats["inference_stats"]
        return stats["inference_count"], inference["success"]["count"], inference["fail"]["count"]

    rows, successes, failures = counts()
    for _ in range(4):  # of connections of their own, which go to either worker
        with httpx.Client(base_url=oip.url) as client:
            document = {"inputs": [{**X, "shape": [3, 2], "data": [1] * 6}]}
            assert client.post(f"/v2/models/{NAME}/infer", json=document).status_code == 200
            assert client.post(f"/v2/models/{NAME}/infer", json={"inputs": []}).status_code == 400
    assert counts() == (rows + 12, successes + 4, failures + 4)


def test_a_model_is_unloaded_and_loaded(oip: RunningServer) -> None:
    control = f"/v2/repository/models/{NAME}"
    asked = {"inputs": [{**X, "data": [1, 2]}]}
    assert infer(oip, asked).status_code == 200
    assert oip.http.post(f"{control}/unload", json={"parameters": {}}).status_code == 200
    for _ in range(4):  # on both workers
        with httpx.Client(base_url=oip.url) as client:
            assert client.get(f"/v2/models/{NAME}/ready").status_code == 503
            assert client.post(f"/v2/models/{NAME}/infer", json=asked).status_code == 503
            told = client.post(f"/v1/models/{NAME}:predict", json={"instances": [[1, 2]]})
            assert told.status_code == 503
    (entry,) = oip.http.post("/v2/repository/index").json()
    assert (entry["state"], entry["version"]) == ("UNAVAILABLE", "1")
    assert oip.http.post("/v2/repository/index", json={"ready": True}).json() == []
    assert oip.http.post(f"{control}/load").status_code == 200
    assert infer(oip, asked).status_code == 200


def test_who_unloads_a_model_that_is_not_there_is_told_so(oip: RunningServer) -> None:
    for what in ("load", "unload"):
        refused = oip.http.post(f"/v2/repository/models/nobody/{what}")
        assert refused.status_code == 400
        assert refused.json()["error"].startswith(f"failed to {what} 'nobody'")


def test_a_short_timeout_is_told_as_it_was_asked_for(oip: RunningServer) -> None:
    asked = {"inputs": [{**X, "data": [1, 2]}], "parameters": {"timeout": 10}}
    late = infer(oip, asked)
    assert late.status_code == 504
    assert "within the 0.00001 s of the request" in late.json()["error"]


def test_models_are_loaded_and_unloaded_only_if_that_is_allowed(server: RunningServer) -> None:
    for what in ("load", "unload"):
        refused = server.http.post(f"/v2/repository/models/x/{what}")
        assert refused.status_code == 503
        assert "model_control" in refused.json()["error"]


BAD_INPUTS: list[tuple[Any, str]] = [
    ({**X, "data": [1, 2], "datatype": "FP64"}, "data-type is 'FP64', but model 'many' expects"),
    ({**X, "data": [1, 2], "datatype": "FLOAT"}, "invalid datatype for input 'x'"),
    ({"name": "x", "shape": [1, 2], "data": [1, 2]}, "invalid datatype"),
    ({**X, "data": [1, 2], "shape": [2]}, "Expected [-1, 2], got [2]"),
    ({**X, "data": [1, 2], "shape": [-1, 2]}, "invalid dimensions"),
    ({**X, "data": [1, 2], "shape": [2**40, 2**40]}, "exceed maximum size"),
    ({**X, "data": [1, 2], "shape": [10**30, 0]}, "Unable to parse 'shape'"),
    ({**X, "data": [1, 2], "shape": "2"}, "Unable to parse 'shape'"),
    ({**X, "data": [1]}, "has 1 elements, the shape [1, 2] has 2"),
    ({**X, "data": 1}, "Unable to parse 'data'"),
    ({**X, "data": ["1", 2]}, "not of expected type"),
    ({**X, "data": [[1], [[2], 3]]}, "has 3 elements"),
    (X, "Input must set only one"),
    ({**X, "data": [1, 2], "name": 5}, "each needs a 'name'"),
    ({**X, "data": [1, 2], "name": "y"}, "unexpected inference input 'y'"),
    ({**X, "data": [1, 2], "parameters": {"a": [1]}}, "no string, number or boolean"),
    ({**X, "parameters": {"shared_memory_region": "a"}}, "does not support"),
    ("x", "Unable to parse 'inputs'"),
]


@pytest.mark.parametrize(("tensor", "told"), BAD_INPUTS)
def test_inputs_that_are_refused(oip: RunningServer, tensor: Any, told: str) -> None:
    refused = infer(oip, {"inputs": [tensor]})
    assert refused.status_code == 400
    assert list(refused.json()) == ["error"]
    assert told in refused.json()["error"]


@pytest.mark.parametrize(
    ("size", "tail", "length", "told"),
    [
        (8, FLOATS[:7], None, "expecting 1 additional bytes"),
        (8, FLOATS + b"x", None, "unexpected additional input data: 1 bytes"),
        (4, FLOATS[:4], None, "unexpected total byte size 4"),
        (-8, FLOATS, None, "is no size in bytes"),
        (2**70, FLOATS, None, "is no size in bytes"),
        (True, FLOATS, None, "is no size in bytes"),
        (8, FLOATS, "-1", "Unable to parse"),
        (8, FLOATS, "1e2", "Unable to parse"),
        (8, FLOATS, "9" * 30, "should be in range"),
        (8, FLOATS, "5", "failed to parse the request JSON"),
    ],
)
def test_tails_that_are_not_what_is_announced(
    oip: RunningServer, size: Any, tail: bytes, length: str | None, told: str
) -> None:
    headers = {} if length is None else {LENGTH: length}
    document = {"inputs": [{**X, "parameters": {"binary_data_size": size}}]}
    refused = infer(oip, document, tail, **headers)
    assert refused.status_code == 400
    assert told in refused.json()["error"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"id": 5}, "Unable to parse 'id'"),
        ({"parameters": {"triton_x": 1}}, "triton_"),
        ({"parameters": {"signature_name": "nosuch"}}, "no signature 'nosuch'"),
        ({"parameters": {"binary_data_output": 1}}, "is no boolean"),
        ({"outputs": [{"name": "z"}]}, "no output 'z'"),
        ({"outputs": [{"name": "y"}, {"name": "y"}]}, "asked for twice"),
        ({"outputs": [{"name": "y", "parameters": {"classification": -1}}]}, "classification"),
        ({"inputs": []}, "missing required input(s) ['x']"),
        ({"inputs": [{**X, "data": [1, 2]}] * 2}, "is sent twice"),
        ({"inputs": [{}] * 5000}, "5000 inputs"),
    ],
)
def test_requests_that_are_refused(oip: RunningServer, more: Any, told: str) -> None:
    refused = infer(oip, {"inputs": [{**X, "data": [1, 2]}], **more})
    assert refused.status_code == 400
    assert told in refused.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/nosuch", 404),
        ("GET", f"/v2/models/{NAME}/nosuch", 404),
        ("GET", f"/v2/models/{NAME}/versions/x", 404),
        ("GET", f"/v2/models/{NAME}/versions/7", 404),
        ("GET", "/v2/models/nosuch/stats", 404),
        ("GET", "/v2/models/a%2Fb/ready", 404),
        ("POST", "/v2/health/live", 405),
        ("POST", "/v2/repository/models/nosuch/load", 400),
        ("PUT", "/v2", 405),
    ],
)
def test_paths_that_ask_for_nothing(
    oip: RunningServer, method: str, path: str, status: int
) -> None:
    refused = oip.http.request(method, path)
    assert refused.status_code == status
    assert refused.json()["error"]
