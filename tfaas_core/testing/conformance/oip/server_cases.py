"""Cases: health, and what a server and its models tell of themselves."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.case import Group
from tfaas_core.testing.conformance.exchange import Ask, changed, get, model_path, post
from tfaas_core.testing.conformance.expect import (
    NOT_OK,
    OK,
    REFUSED,
    SAYS_WHY,
    UNPACKED,
    has_json,
    json_where,
    refuses,
    status,
)
from tfaas_core.testing.conformance.models import AFFINE, EXAMPLES, HALVES, PAIR, TEXT, TYPES
from tfaas_core.testing.conformance.models import MODELS as KIT_MODELS
from tfaas_core.testing.conformance.oip.asks import V2

_ALL_KINDS = {"Accept-Encoding": "gzip, deflate, br"}
_UNKNOWN = model_path(V2, "conformance_unknown")


def _of(model: str, rest: str = "", version: int | None = None) -> Ask:
    number = "" if version is None else str(version)
    return get(model_path(V2, model, version) + rest, model=model, version=number)


_health = Group("oip.health")

HEALTH_CASES = (
    _health.must("live", "A server that is alive answers 200.", get("/v2/health/live"), OK),
    _health.must("ready", "A server that is ready answers 200.", get("/v2/health/ready"), OK),
    _health.must("model_ready", "A model that is ready answers 200.", _of(AFFINE, "/ready"), OK),
    _health.must(
        "version_ready",
        "A version of a model that is ready answers 200.",
        _of(AFFINE, "/ready", version=1),
        OK,
    ),
    _health.must(
        "unknown_model",
        "A model that is not there is not ready: clients look for a 200, and for nothing else.",
        get(f"{_UNKNOWN}/ready"),
        NOT_OK,
    ),
    _health.must(
        "unknown_version",
        "A version that is not there is not ready.",
        changed(_of(AFFINE, "/versions/77/ready"), model=AFFINE),
        NOT_OK,
    ),
    _health.should(
        "unknown_model_says_why",
        "What is not ready says why.",
        get(f"{_UNKNOWN}/ready"),
        NOT_OK,
        SAYS_WHY,
    ),
    _health.must(
        "query",
        "A query is ignored: clients may add one to each request.",
        get("/v2/health/live?probe=1"),
        OK,
    ),
    _health.should(
        "method",
        "Health is asked by GET; another method is a 405, or another error of the client.",
        post("/v2/health/live"),
        *refuses(),
    ),
)

_server = Group("oip.server")


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


SERVER_CASES = (
    _server.must(
        "metadata",
        "The server tells its name, its version and its extensions, as strings.",
        get("/v2"),
        OK,
        json_where(
            "a name, a version, and a list of extensions",
            lambda d: _are_texts([d["name"], d["version"]]) and _are_texts(d["extensions"]),
        ),
    ),
    _server.should("slash", "The path may end in a slash.", get("/v2/"), OK),
    _server.must("query", "A query is ignored.", get("/v2?a=b"), OK),
    _server.must(
        "uncompressed",
        "What is no inference is never compressed: asynchronous clients would not unpack it.",
        get("/v2", headers=_ALL_KINDS),
        OK,
        UNPACKED,
    ),
    _server.should(
        "unknown_path",
        "A path that there is not is a 404, which says why in JSON.",
        get("/v2/no/such/path"),
        *refuses(404),
    ),
    _server.should(
        "method",
        "A method that there is not is refused in JSON.",
        Ask("DELETE", "/v2"),
        *refuses(),
    ),
)

_metadata = Group("oip.metadata")


def _ends(model: str) -> dict[str, Any]:
    (found,) = (m for m in KIT_MODELS if m.name == model)
    sides = {"inputs": found.inputs, "outputs": found.outputs}
    return {
        key: sorted(
            ({"name": e.name, "datatype": e.datatype, "shape": list(e.shape)} for e in ends),
            key=lambda end: str(end["name"]),
        )
        for key, ends in sides.items()
    }


def _declares(model: str) -> Any:
    expected = _ends(model)

    def holds(document: Any) -> bool:
        return all(
            sorted(
                (
                    {key: end[key] for key in ("name", "datatype", "shape")}
                    for end in document[side]
                ),
                key=lambda end: str(end["name"]),
            )
            == ends
            for side, ends in expected.items()
        )

    names = [end["name"] for ends in expected.values() for end in ends]
    return json_where(f"inputs and outputs {names}, with their datatypes and shapes", holds)


METADATA_CASES = (
    _metadata.must(
        "model",
        "A model tells its name, its inputs and its outputs; -1 stands for any size.",
        _of(AFFINE),
        OK,
        has_json({"name": AFFINE}),
        _declares(AFFINE),
    ),
    _metadata.must(
        "version", "A version may be named.", _of(AFFINE, version=1), OK, _declares(AFFINE)
    ),
    _metadata.must(
        "platform",
        "The platform is a string.",
        _of(AFFINE),
        OK,
        json_where("a platform, which is a string", lambda d: _are_texts([d["platform"]])),
    ),
    _metadata.must(
        "versions",
        "If versions are told, they are strings.",
        _of(AFFINE),
        OK,
        has_json({"name": AFFINE}),
        json_where(
            "versions, which are strings, or none", lambda d: _are_texts(d.get("versions", []))
        ),
    ),
    _metadata.should(
        "all_versions",
        "Versions are those that can be asked.",
        _of(AFFINE),
        OK,
        json_where("versions 1 and 2", lambda d: sorted(d["versions"]) == ["1", "2"]),
    ),
    _metadata.must("several", "All inputs and outputs are told.", _of(PAIR), OK, _declares(PAIR)),
    _metadata.must(
        "datatypes", "Datatypes have the protocol's names.", _of(TYPES), OK, _declares(TYPES)
    ),
    _metadata.must("bytes", "Strings are BYTES.", _of(TEXT), OK, _declares(TEXT)),
    _metadata.should("halves", "There are FP16 and BF16.", _of(HALVES), OK, _declares(HALVES)),
    _metadata.must(
        "examples", "Serialized Examples are BYTES, too.", _of(EXAMPLES), OK, _declares(EXAMPLES)
    ),
    _metadata.must(
        "unknown_model",
        "Metadata of a model that is not there is the client's error.",
        get(_UNKNOWN),
        *refuses(),
    ),
    _metadata.must(
        "unknown_version",
        "Metadata of a version that is not there is the client's error.",
        changed(_of(AFFINE, "/versions/77"), model=AFFINE),
        *refuses(),
    ),
    _metadata.should(
        "unknown_is_404",
        "The status of a model that is not there is 404.",
        get(_UNKNOWN),
        status(404),
    ),
    _metadata.should(
        "no_number",
        "A version that is no number is the client's error.",
        _of(AFFINE, "/versions/newest"),
        REFUSED,
    ),
    _metadata.must(
        "encoded_name",
        "Names in paths are percent-decoded.",
        get(f"{V2}/models/{AFFINE.replace('_', '%5F')}", model=AFFINE),
        OK,
        _declares(AFFINE),
    ),
    _metadata.must(
        "uncompressed",
        "Metadata is never compressed.",
        changed(_of(AFFINE), _ALL_KINDS),
        OK,
        UNPACKED,
    ),
    _metadata.must("query", "A query is ignored.", _of(AFFINE, "?x=y"), OK, _declares(AFFINE)),
)
