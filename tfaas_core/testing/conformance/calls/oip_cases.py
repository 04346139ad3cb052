"""Cases: the Open Inference Protocol over gRPC."""

from __future__ import annotations

from tfaas_core.testing.conformance.calls.asks import (
    ANSWERED,
    INFERENCE,
    code,
    grpc_call,
)
from tfaas_core.testing.conformance.calls.inference import (
    calls_outputs,
    infer_call,
    of_contents,
)
from tfaas_core.testing.conformance.case import Group
from tfaas_core.testing.conformance.exchange import Ask
from tfaas_core.testing.conformance.expect import has_json, is_json, json_where
from tfaas_core.testing.conformance.models import AFFINE, PAIR, TEXT
from tfaas_core.testing.conformance.oip.asks import ADDED, DIFFERENCE, ROW, SUM, A, B
from tfaas_core.testing.conformance.oip.tensors import Tensor

_NOT_THERE = code("NOT_FOUND", "INVALID_ARGUMENT", "UNAVAILABLE")


def _about(method: str, model: str = "", version: str = "") -> Ask:
    named = {"name": model, "version": version} if model else {}
    is_ours = model and model != "nobody" and version != "77"
    return grpc_call(INFERENCE, method, named, model if is_ours else "", version if is_ours else "")


_server = Group("oip.grpc.server")

GRPC_SERVER_CASES = (
    _server.must(
        "live", "A server is alive.", _about("ServerLive"), ANSWERED, is_json({"live": True})
    ),
    _server.must(
        "ready", "A server is ready.", _about("ServerReady"), ANSWERED, is_json({"ready": True})
    ),
    _server.must(
        "model_ready",
        "A model is ready.",
        _about("ModelReady", AFFINE),
        ANSWERED,
        is_json({"ready": True}),
    ),
    _server.must(
        "version_ready",
        "A version is ready.",
        _about("ModelReady", AFFINE, "1"),
        ANSWERED,
        is_json({"ready": True}),
    ),
    _server.must(
        "unknown_ready",
        "A model that is not there is not ready, or that is an error.",
        _about("ModelReady", "nobody"),
        code("OK", "NOT_FOUND", "INVALID_ARGUMENT", "UNAVAILABLE"),
        json_where("ready false, or an error", lambda d: d.get("ready", False) is False),
    ),
    _server.must(
        "metadata",
        "The server tells its name, its version and its extensions.",
        _about("ServerMetadata"),
        ANSWERED,
        json_where(
            "a name, a version, and extensions",
            lambda d: d["name"] and d["version"] and d["extensions"],
        ),
    ),
    _server.must(
        "model_metadata",
        "A model tells its inputs and its outputs; -1 stands for any size.",
        _about("ModelMetadata", AFFINE),
        ANSWERED,
        has_json(
            {
                "name": AFFINE,
                "inputs": [{"name": "x", "datatype": "FP32", "shape": ["-1", "3"]}],
                "outputs": [{"name": "y", "datatype": "FP32", "shape": ["-1", "3"]}],
            }
        ),
    ),
    _server.must(
        "unknown_metadata",
        "Metadata of a model that is not there is an error.",
        _about("ModelMetadata", "nobody"),
        _NOT_THERE,
    ),
    _server.should(
        "unknown_is_not_found",
        "The code of a model that is not there is NOT_FOUND.",
        _about("ModelMetadata", "nobody"),
        code("NOT_FOUND"),
    ),
)

_health = Group("oip.grpc.health")


def _check(service: str) -> Ask:
    return grpc_call("grpc.health.v1.Health", "Check", {"service": service})


GRPC_HEALTH_CASES = (
    _health.should(
        "server",
        "The health of the server is that of no service in particular: Kubernetes asks for it.",
        _check(""),
        ANSWERED,
        is_json({"status": "SERVING"}),
    ),
    _health.should(
        "service",
        "The service has a health of its own.",
        _check(INFERENCE),
        ANSWERED,
        is_json({"status": "SERVING"}),
    ),
    _health.should(
        "unknown",
        "A service that is not there is NOT_FOUND.",
        _check("nobody.Nothing"),
        code("NOT_FOUND"),
    ),
)

_LARGE = Tensor("text", "BYTES", [1], [b"\0\xff" * 2_500_000])

_infer = Group("oip.grpc.infer")

GRPC_INFER_CASES = (
    _infer.must(
        "raw",
        "Values are raw, one entry for each input, and so they are answered.",
        infer_call(AFFINE, ROW),
        ANSWERED,
        calls_outputs(ADDED),
    ),
    _infer.must(
        "contents",
        "Values may be in the contents of inputs; they are answered raw all the same.",
        of_contents(AFFINE, ROW),
        ANSWERED,
        calls_outputs(ADDED),
    ),
    _infer.must(
        "two_inputs",
        "Raw values stand in the order of the inputs.",
        infer_call(PAIR, B, A),
        calls_outputs(SUM, DIFFERENCE),
    ),
    _infer.must(
        "two_contents",
        "Contents stand with their inputs.",
        of_contents(PAIR, B, A),
        calls_outputs(SUM, DIFFERENCE),
    ),
    _infer.must(
        "id",
        "The id of a request is that of its answer.",
        infer_call(AFFINE, ROW, id="first"),
        ANSWERED,
        has_json({"id": "first"}),
    ),
    _infer.must(
        "version",
        "A version may be named, and is answered.",
        infer_call(AFFINE, ROW, model_version="1"),
        ANSWERED,
        has_json({"model_name": AFFINE, "model_version": "1"}),
        calls_outputs(Tensor("y", "FP32", [1, 3], [2.0, 3.0, 4.0])),
    ),
    _infer.must(
        "one_output",
        "Outputs may be chosen.",
        infer_call(PAIR, A, B, outputs=[{"name": "difference"}]),
        calls_outputs(DIFFERENCE),
    ),
    _infer.must(
        "parameters",
        "Parameters may be there, of each kind.",
        infer_call(
            AFFINE,
            ROW,
            parameters={
                "note": {"string_param": "text"},
                "on": {"bool_param": True},
                "count": {"int64_param": 3},
                "timeout": {"int64_param": 20_000_000},
                "priority": {"uint64_param": 0},
            },
        ),
        calls_outputs(ADDED),
    ),
    _infer.must(
        "no_rows",
        "An empty tensor is an entry without bytes.",
        infer_call(AFFINE, Tensor("x", "FP32", [0, 3], [])),
        calls_outputs(Tensor("y", "FP32", [0, 3], [])),
    ),
    _infer.must(
        "bytes",
        "Raw elements of BYTES have their lengths before them.",
        infer_call(
            TEXT, Tensor("text", "BYTES", [3], ["", b"\xff\0", "a"]), outputs=[{"name": "copy"}]
        ),
        calls_outputs(Tensor("copy", "BYTES", [3], ["", b"\xff\0", "a"])),
    ),
    _infer.must(
        "bytes_contents",
        "Elements of BYTES in contents are bytes alone.",
        of_contents(
            TEXT, Tensor("text", "BYTES", [3], ["", b"\xff\0", "a"]), outputs=[{"name": "copy"}]
        ),
        calls_outputs(Tensor("copy", "BYTES", [3], ["", b"\xff\0", "a"])),
    ),
    _infer.must(
        "large",
        "A message may have more than the 4 MiB that gRPC allows by default.",
        infer_call(TEXT, _LARGE, outputs=[{"name": "copy"}]),
        calls_outputs(Tensor("copy", "BYTES", [1], _LARGE.data)),
    ),
    _infer.must(
        "classification",
        "A class may be asked for.",
        infer_call(
            PAIR,
            A,
            B,
            outputs=[{"name": "sum", "parameters": {"classification": {"int64_param": 1}}}],
        ),
        calls_outputs(Tensor("sum", "BYTES", [1, 1], ["22:1"])),
    ),
)
