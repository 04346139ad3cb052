"""Cases: status and metadata of models, and how requests are sent."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.case import Case, Group, probe
from tfaas_core.testing.conformance.exchange import Ask, changed, compressed, get, post
from tfaas_core.testing.conformance.expect import (
    OK,
    REFUSED,
    has_json,
    is_json,
    json_where,
    refuses,
    status,
)
from tfaas_core.testing.conformance.models import AFFINE, EXAMPLES, PAIR, STABLE, TEXT, TYPES
from tfaas_core.testing.conformance.tfserving.asks import affine_rows, at

_status = Group("tfserving.status")
_AVAILABLE = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}


def _listed(document: Any) -> list[str]:
    return [entry["version"] for entry in document["model_version_status"]]


STATUS_CASES = (
    _status.must(
        "version",
        "A version has a number, which is a string, a state, and an error, which is none.",
        at(AFFINE, version=1),
        OK,
        is_json({"model_version_status": [{"version": "1", **_AVAILABLE}]}),
    ),
    _status.must(
        "model",
        "Without a version, the status of all of them is told.",
        at(AFFINE),
        OK,
        json_where("versions '1' and '2'", lambda d: sorted(_listed(d)) == ["1", "2"]),
    ),
    _status.should(
        "order",
        "The highest version is first.",
        at(AFFINE),
        OK,
        json_where("versions '2', '1'", lambda d: _listed(d) == ["2", "1"]),
    ),
    _status.must(
        "label",
        "A label may be named instead of a version.",
        at(AFFINE, label=STABLE),
        OK,
        json_where("version '1' among them", lambda d: "1" in _listed(d)),
    ),
    _status.must(
        "unknown_model",
        "The status of a model that is not there is a 404.",
        get("/v1/models/nobody"),
        *refuses(404),
    ),
    _status.must(
        "unknown_version",
        "The status of a version that is not there is a 404.",
        at(AFFINE, "/versions/77"),
        *refuses(404),
    ),
)

_metadata = Group("tfserving.metadata")


def _signatures(document: Any) -> Any:
    return document["metadata"]["signature_def"]["signature_def"]


def _dtypes(model: str, signature: str, inputs: dict[str, str], outputs: dict[str, str]) -> Case:
    def holds(document: Any) -> bool:
        found = _signatures(document)[signature]
        return all(
            {name: end["dtype"] for name, end in found[side].items()} == expected
            for side, expected in (("inputs", inputs), ("outputs", outputs))
        )

    return _metadata.must(
        f"dtypes_{model.removeprefix('conformance_')}",
        f"The inputs and outputs of the signature {signature} have names and dtypes.",
        at(model, "/metadata"),
        OK,
        json_where(f"{inputs} and {outputs}", holds),
    )


def _x(document: Any) -> Any:
    return _signatures(document)["serving_default"]["inputs"]["x"]


METADATA_OF_MODEL_CASES = (
    _metadata.must(
        "model_spec",
        "The model and the version that are told of are named; the number is a string.",
        at(AFFINE, "/metadata", version=1),
        OK,
        has_json({"model_spec": {"name": AFFINE, "version": "1"}}),
    ),
    _metadata.must(
        "signatures",
        "All signatures are there; the key signature_def is doubled.",
        at(AFFINE, "/metadata"),
        OK,
        json_where(
            "serving_default, inverse, scalar, total and uneven",
            lambda d: (
                _signatures(d).keys() >= {"serving_default", "inverse", "scalar", "total", "uneven"}
            ),
        ),
    ),
    _metadata.must(
        "shape",
        "Sizes are strings, and -1 is any size.",
        at(AFFINE, "/metadata"),
        OK,
        json_where(
            "sizes '-1' and '3'",
            lambda d: [dim["size"] for dim in _x(d)["tensor_shape"]["dim"]] == ["-1", "3"],
        ),
    ),
    _metadata.should(
        "defaults",
        "What has its default is written, too.",
        at(AFFINE, "/metadata"),
        OK,
        json_where(
            "unknown_rank false, and the name of each dim",
            lambda d: (
                _x(d)["tensor_shape"]["unknown_rank"] is False
                and all(dim["name"] == "" for dim in _x(d)["tensor_shape"]["dim"])
            ),
        ),
    ),
    _metadata.should(
        "method_name",
        "A signature has a method_name, and a tensor has the name that it has in the graph.",
        at(AFFINE, "/metadata"),
        OK,
        json_where(
            "a method_name, and a name like serving_default_x:0",
            lambda d: (
                _signatures(d)["serving_default"]["method_name"].startswith("tensorflow/")
                and ":" in _x(d)["name"]
            ),
        ),
    ),
    _dtypes(
        PAIR,
        "serving_default",
        dict.fromkeys("ab", "DT_INT32"),
        {"sum": "DT_INT32", "difference": "DT_INT32"},
    ),
    _dtypes(TYPES, "uint64", {"x": "DT_UINT64"}, {"y": "DT_UINT64"}),
    _dtypes(TEXT, "plain", {"text": "DT_STRING"}, {"copy": "DT_STRING"}),
    _dtypes(
        EXAMPLES,
        "classify",
        {"inputs": "DT_STRING"},
        {"classes": "DT_STRING", "scores": "DT_FLOAT"},
    ),
    _metadata.must(
        "label",
        "A label may be named instead of a version.",
        at(AFFINE, "/metadata", label=STABLE),
        OK,
        has_json({"model_spec": {"version": "1"}}),
    ),
    _metadata.must(
        "unknown_model",
        "Metadata of a model that is not there is a 404.",
        get("/v1/models/nobody/metadata"),
        *refuses(404),
    ),
    _metadata.must(
        "unknown_version",
        "Metadata of a version that is not there is a 404.",
        at(AFFINE, "/versions/77/metadata"),
        *refuses(404),
    ),
)

_http = Group("tfserving.http")
_ROW = affine_rows([1, 2, 3])
_ADDED = is_json({"predictions": [[3.0, 4.0, 5.0]]})


def _typed(kind: str) -> Any:
    return probe(changed(_ROW, {"Content-Type": kind}), OK, _ADDED)


HTTP_CASES = (
    _http.must(
        "content_type",
        "Whatever Content-Type a request has, it is read as JSON.",
        _typed("application/x-www-form-urlencoded"),
        _typed("text/plain"),
        _typed("application/json; charset=utf-8"),
    ),
    _http.must(
        "chunked", "The body may come in chunks.", changed(_ROW, is_chunked=True), OK, _ADDED
    ),
    _http.must("gzip", "A body may be gzip.", compressed(_ROW, "gzip"), OK, _ADDED),
    _http.must(
        "no_gzip",
        "What is no gzip, though it says so, is the client's error.",
        changed(_ROW, {"Content-Encoding": "gzip"}),
        *refuses(),
    ),
    _http.must(
        "accept_gzip",
        "An answer may be gzip if that is accepted.",
        changed(_ROW, {"Accept-Encoding": "gzip"}),
        OK,
        _ADDED,
    ),
    _http.must(
        "encoded_name",
        "Names in paths are percent-decoded.",
        changed(_ROW, path=f"/v1/models/{AFFINE.replace('_', '%5F')}:predict"),
        OK,
        _ADDED,
    ),
    _http.should(
        "query",
        "A query is ignored, though TensorFlow Serving takes it for a part of the path.",
        changed(_ROW, path=f"/v1/models/{AFFINE}:predict?trace=1"),
        OK,
        _ADDED,
    ),
    _http.must(
        "get",
        "Predictions are asked for by POST.",
        changed(get(f"/v1/models/{AFFINE}:predict"), model=AFFINE),
        *refuses(400, 405),
    ),
    _http.must(
        "post",
        "Metadata is asked for by GET.",
        changed(post(f"/v1/models/{AFFINE}/metadata", {}), model=AFFINE),
        *refuses(400, 405),
    ),
    _http.must(
        "put",
        "There are no methods but GET and POST.",
        changed(Ask("PUT", f"/v1/models/{AFFINE}:predict", body=b"{}"), model=AFFINE),
        *refuses(400, 405),
    ),
    _http.must(
        "unknown_verb",
        "A verb that there is not is refused.",
        changed(post(f"/v1/models/{AFFINE}:dream", {}), model=AFFINE),
        *refuses(400, 404),
    ),
    _http.must(
        "unknown_path",
        "A path that there is not is refused.",
        get("/v1/no/such/path"),
        *refuses(400, 404),
    ),
    _http.must(
        "version_and_label",
        "A path has a version or a label, and not both.",
        changed(post(f"/v1/models/{AFFINE}/versions/1/labels/stable:predict", {}), model=AFFINE),
        *refuses(400, 404),
    ),
    _http.should(
        "models",
        "All models are listed, or there is an error that says why not.",
        get("/v1/models"),
        status(200, 400, 404),
        json_where("an object", lambda d: isinstance(d, dict)),
    ),
    _http.should(
        "broken_name",
        "A name that cannot be decoded is refused.",
        post("/v1/models/%FF%FE:predict", {"instances": [1]}),
        REFUSED,
    ),
)
