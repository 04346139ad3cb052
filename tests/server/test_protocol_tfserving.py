"""TensorFlow Serving's REST API: requests as its clients send them, and rubbish."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import msgspec
import pytest

from tests.server.protocol_models import NAME, many_signatures, upload_bundle
from tfaas_core.testing.server import RunningServer

MODEL = f"/v1/models/{NAME}"


@pytest.fixture(scope="module", autouse=True)
def model(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    bundle = many_signatures(tmp_path_factory.mktemp("many"))
    assert upload_bundle(server, bundle, version=123).status_code == 200
    labelled = server.http.put(f"/models/{NAME}/labels/stable", json={"version": 123})
    assert labelled.status_code == 200


def post(server: RunningServer, verb: str = "predict", **document: Any) -> httpx.Response:
    return server.http.post(f"{MODEL}:{verb}", content=msgspec.json.encode(document))


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        ({"instances": [[1, 2], [3, 4.5]]}, {"predictions": [[2.0, 4.0], [6.0, 9.0]]}),
        ({"inputs": [[1, 2]]}, {"outputs": [[2.0, 4.0]]}),
        # Not of the declared shape, but the graph takes it.
        ({"instances": [1.0, 2.0, 5.0]}, {"predictions": [2.0, 4.0, 10.0]}),
        ({"inputs": 3}, {"outputs": 6.0}),
        ({"signature_name": "total", "inputs": {"x": [[1, 2], [3, 4]]}}, {"outputs": 10.0}),
        (
            {"signature_name": "pair", "instances": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]},
            {"predictions": [{"sum": 3.0, "twice": 4.0}, {"sum": 7.0, "twice": 8.0}]},
        ),
        (
            {"signature_name": "exact", "instances": [9007199254740993, -(2**63)]},
            {"predictions": [9007199254740993, -(2**63)]},
        ),
        ({"signature_name": "truth", "instances": [True, False]}, {"predictions": [True, False]}),
        ({"signature_name": "half", "instances": [0.1]}, {"predictions": [0.1]}),
        ({"signature_name": "brain", "instances": [1.5]}, {"predictions": [1.5]}),
        (
            {"signature_name": "text", "instances": ["é", {"b64": "/w=="}]},
            {
                "predictions": [
                    {"y": "é", "y_bytes": {"b64": "w6k="}},
                    {"y": {"b64": "/w=="}, "y_bytes": {"b64": "/w=="}},
                ]
            },
        ),
    ],
)
def test_predictions(server: RunningServer, document: Any, answer: Any) -> None:
    told = post(server, **document)
    assert told.status_code == 200, told.text
    assert told.json() == answer


def test_what_is_not_finite_is_a_bare_word(server: RunningServer) -> None:
    told = post(server, signature_name="inverse", inputs=[0.0, 3.0])
    assert told.text == '{"outputs":[Infinity,0.33333334]}'
    body = b'{"signature_name": "inverse", "instances": [Infinity, NaN]}'
    assert server.http.post(f"{MODEL}:predict", content=body).text == '{"predictions":[0.0,NaN]}'


@pytest.mark.parametrize(
    ("verb", "document", "results"),
    [
        ("regress", {"examples": [{"x": 1.5}, {"x": 2}]}, [3.0, 4.0]),
        ("regress", {"context": {"x": 5.0}, "examples": [{}, {"x": 1.0}]}, [10.0, 2.0]),
        ("classify", {"examples": [{"x": 0.25}]}, [[["", 0.25], ["", 0.75]]]),
    ],
)
def test_examples(server: RunningServer, verb: str, document: Any, results: Any) -> None:
    told = post(server, verb, signature_name=verb, **document)
    assert told.json() == {"results": results}


def test_status_and_metadata(server: RunningServer) -> None:
    status = {"version": "123", "state": "AVAILABLE"}
    for path in ("", "/versions/00123", "/labels/stable"):
        (found,) = server.http.get(MODEL + path).json()["model_version_status"]
        assert found == {**status, "status": {"error_code": "OK", "error_message": ""}}
    metadata = server.http.get(f"{MODEL}/labels/stable/metadata").json()
    assert metadata["model_spec"] == {"name": NAME, "signature_name": "", "version": "123"}
    declared = metadata["metadata"]["signature_def"]["signature_def"]
    assert declared["exact"]["inputs"]["x"]["dtype"] == "DT_INT64"
    assert {"name": NAME} in server.http.get("/v1/models").json()["models"]


def test_a_frozen_graph_has_the_default_signature(server: RunningServer, scale_graph: Any) -> None:
    assert server.upload("frozen", scale_graph(2.0)).status_code == 200
    asked = {"signature_name": "serving_default", "instances": [[1, 2, 3]]}
    told = server.http.post("/V1/models/frozen:PREDICT?debug=1", json=asked)
    assert told.json() == {"predictions": [[2.0, 4.0, 6.0]]}
    metadata = server.http.get("/v1/models/frozen/metadata").json()
    assert list(metadata["metadata"]["signature_def"]["signature_def"]) == ["serving_default"]


def test_a_body_may_be_compressed(server: RunningServer) -> None:
    body = gzip.compress(b'{"instances": [[1, 2]]}')
    headers = {"Content-Encoding": "gzip"}
    told = server.http.post(f"{MODEL}:predict", content=body, headers=headers)
    assert told.json() == {"predictions": [[2.0, 4.0]]}
    cut = server.http.post(f"{MODEL}:predict", content=body[:-4], headers=headers)
    assert (cut.status_code, list(cut.json())) == (400, ["error"])
    bomb = gzip.compress(bytes(32 << 20))
    assert server.http.post(f"{MODEL}:predict", content=bomb, headers=headers).status_code == 413


def test_a_context_that_would_fill_the_memory_is_refused(server: RunningServer) -> None:
    context = {"c": "c" * 1_000_000}
    told = post(
        server, "regress", signature_name="regress", context=context, examples=[{}] * 20_000
    )
    assert told.status_code == 413
    assert "each with the context" in told.json()["error"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "The document is empty"),
        (b"{", "JSON Parse error: Invalid value. at offset: "),
        (b"[1]", "Is not object"),
        (b"\xff{}", "JSON Parse error"),
        (b"[" * 100_000, "nested more than"),
        (b'{"a":' * 3_000, "JSON Parse error"),
        (b'{"signature_name": 5, "instances": [1]}', "must be a string value"),
        (b'{"signature_name": "nosuch", "instances": [1]}', 'name: "nosuch" not found'),
        (b'{"instances": [1], "inputs": [1]}', "only one of 'inputs' or 'instances' keys"),
        (b"{}", "Missing 'inputs' or 'instances' key"),
        (b'{"instances": 1}', "to be an list/array"),
        (b'{"instances": []}', "No values in 'instances'"),
        (b'{"instances": [{"b64": 5}]}', "keys must be equal to: x"),
        (b'{"instances": [{"x": [1, 2]}, [1, 2]]}', "Expecting object but got list at item 1"),
        (b'{"instances": [[1, 2], {"x": 1}]}', "got object at item 1"),
        (b'{"instances": [[1, 2], [3]]}', "Expecting tensor size: 2 but got: 1"),
        (b'{"instances": [[1, 2], [[3, 4]]]}', "Expecting shape [2] but got: [1, 2]"),
        (b'{"inputs": [[1, 2], [3]]}', "unexpected size: 1 at level: 1 expected size: 2"),
        (b'{"instances": ["x"]}', '"x" Type: String is not of expected type: float'),
        (b'{"instances": [null]}', "Type: Null is not of"),
        (b'{"instances": [true]}', "Type: True is not of"),
        (b'{"signature_name": "pair", "inputs": {"a": [1]}}', "Missing named input: b"),
        (b'{"signature_name": "pair", "instances": [1]}', "is a plain list, but expecting"),
        (b'{"signature_name": "exact", "instances": [1.0]}', "of expected type: int64"),
        (b'{"signature_name": "exact", "instances": [9223372036854775808]}', "type: int64"),
        (b'{"signature_name": "text", "instances": [{"b64": "@"}]}', "base64"),
        (b'{"signature_name": "text", "inputs": [{"b64": "", "a": 1}]}', "base64"),
        (b'{"signature_name": "total", "instances": [[1, 2]]}', "sum has no shape information "),
    ],
)
def test_what_is_refused_is_told_in_its_words(
    server: RunningServer, body: bytes, told: str
) -> None:
    refused = server.http.post(f"{MODEL}:predict", content=body)
    assert refused.status_code == 400, refused.text
    assert list(refused.json()) == ["error"]
    assert told in refused.json()["error"]


@pytest.mark.parametrize(
    ("examples", "told"),
    [
        (5, "to be an list/array"),
        ([], "is an empty array"),
        ([[]], "Example must be JSON object but got JSON Array"),
        ([{"x": [1.5, "a"]}], "Unexpected element type in feature: x expecting type: float"),
        ([{"x": [[1]]}], "unexpected JSON type: Array"),
        ([{"x": 2**63}], "has uint64_t element"),
        ([{"y": 1.5}], "is required but could not be found"),
    ],
)
def test_what_is_no_example_is_refused(server: RunningServer, examples: Any, told: str) -> None:
    body = json.dumps({"signature_name": "regress", "examples": examples}).encode()
    refused = server.http.post(f"{MODEL}:regress", content=body)
    assert refused.status_code == 400
    assert told in refused.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        ("POST", "/v1/models/nosuch:predict", 404, "request: Latest(nosuch)"),
        ("POST", f"{MODEL}/versions/7:predict", 404, f"request: Specific({NAME}, 7)"),
        ("POST", f"{MODEL}/labels/no:predict", 400, "version label: no"),
        ("GET", "/v1/models/nosuch", 404, "any versions of model nosuch"),
        ("GET", f"{MODEL}/versions/7", 404, "find version 7 of"),
        ("GET", f"{MODEL}/versions/{10**30}", 400, "Failed to convert version"),
        ("POST", f"{MODEL}/versions/x:predict", 400, "Malformed request: POST"),
        ("POST", f"{MODEL}:explain", 400, "Malformed request"),
        ("GET", f"{MODEL}:predict", 405, "Malformed request: GET"),
        ("POST", f"{MODEL}/metadata", 405, "Malformed request: POST"),
        ("DELETE", MODEL, 405, "does not take DELETE"),
        ("GET", "/v1/nosuch", 400, "Malformed request"),
        ("GET", "/v1/models/%2e%2e%2f%00", 404, "any versions of model"),
    ],
)
def test_paths_that_ask_for_nothing(
    server: RunningServer, method: str, path: str, status: int, told: str
) -> None:
    content = b'{"instances": [1]}' if method == "POST" else None
    refused = server.http.request(method, path, content=content)
    assert refused.status_code == status
    assert told in refused.json()["error"]
