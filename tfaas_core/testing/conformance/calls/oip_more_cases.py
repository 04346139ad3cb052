"""Cases: datatypes, streams and the repository of the Open Inference Protocol over gRPC."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.calls.asks import (
    ANSWERED,
    INFERENCE,
    INVALID,
    code,
    grpc_call,
    grpc_stream,
    messages_where,
)
from tfaas_core.testing.conformance.calls.inference import (
    calls_outputs,
    infer_call,
    infer_document,
    of_contents,
)
from tfaas_core.testing.conformance.case import Case, Group, probe
from tfaas_core.testing.conformance.exchange import changed
from tfaas_core.testing.conformance.expect import NOT_OK, grows, has_json, json_where
from tfaas_core.testing.conformance.models import AFFINE, HALVES, PAIR, TYPE_NAMES, TYPES
from tfaas_core.testing.conformance.oip.asks import ADDED, DIFFERENCE, ROW, SUM, A, B, copy_of
from tfaas_core.testing.conformance.oip.datatype_cases import VALUES
from tfaas_core.testing.conformance.oip.tensors import Tensor

_types = Group("oip.grpc.datatypes")


def _inputs(datatype: str, data: list[Any], names: tuple[str, ...]) -> list[Tensor]:
    others = {name: [False if name == "BOOL" else 0] * len(data) for name in names}
    values = {**others, datatype: data}
    return [Tensor(f"in_{n.lower()}", n, [len(data)], v) for n, v in values.items()]


def _both(datatype: str) -> list[Case]:
    words, data = VALUES[datatype]
    name = datatype.lower()
    inputs = _inputs(datatype, data, TYPE_NAMES)
    wanted = [{"name": f"out_{name}"}]
    expected = calls_outputs(copy_of(datatype, data))
    raw = infer_call(TYPES, *inputs, outputs=wanted)
    contents = of_contents(TYPES, *inputs, outputs=wanted)
    return [
        _types.must(f"raw_{name}", f"Raw values of {datatype} {words}.", raw, expected),
        _types.must(f"{name}", f"Contents of {datatype} {words}.", contents, expected),
    ]


_HALF = [1.5, -2.0, 65504.0]
_BRAIN = [1.5, -2.0, 2.0**100]


def _half(datatype: str, data: list[float]) -> tuple[Any, Any]:
    inputs = _inputs(datatype, data, ("FP16", "BF16"))
    ask = infer_call(HALVES, *inputs, outputs=[{"name": f"out_{datatype.lower()}"}])
    return ask, calls_outputs(copy_of(datatype, data))


GRPC_DATATYPE_CASES = (
    *(case for datatype in TYPE_NAMES for case in _both(datatype)),
    _types.must("raw_fp16", "FP16 is raw, and has two bytes.", *_half("FP16", _HALF)),
    _types.should("raw_bf16", "BF16 is raw, and has two bytes.", *_half("BF16", _BRAIN)),
)

_stream = Group("oip.grpc.stream")


def _numbered(number: int, *tensors: Tensor) -> dict[str, Any]:
    return infer_document(AFFINE, *tensors, id=str(number))


def _ids(messages: Any) -> list[str]:
    return sorted(message["infer_response"]["id"] for message in messages)


def _errors(messages: Any) -> list[bool]:
    return sorted(bool(message["error_message"]) for message in messages)


def _sent(*documents: Any) -> Any:
    return grpc_stream(INFERENCE, "ModelStreamInfer", *documents, model=AFFINE)


GRPC_STREAM_CASES = (
    _stream.must(
        "one",
        "A stream answers a request as a call does.",
        _sent(_numbered(1, ROW)),
        messages_where(
            "an answer, and no error",
            lambda ms: _ids(ms) == ["1"] and not _errors(ms)[-1],
        ),
    ),
    _stream.must(
        "several",
        "Requests may be sent without waiting; there is an answer for each, by its id.",
        _sent(*(_numbered(number, ROW) for number in range(5))),
        messages_where("answers 0 to 4, and no error", lambda ms: _ids(ms) == list("01234")),
    ),
    _stream.must(
        "error",
        "An error concerns one request: the others are answered, and the stream ends well.",
        _sent(_numbered(1, ROW), _numbered(2), _numbered(3, ROW)),
        messages_where("two answers, and an error", lambda ms: _errors(ms) == [False, False, True]),
    ),
    _stream.should(
        "id_of_error",
        "An error in a stream has the request's id.",
        _sent(_numbered(1, ROW), _numbered(2)),
        messages_where(
            "an error for 2",
            lambda ms: [m["infer_response"]["id"] for m in ms if m["error_message"]] == ["2"],
        ),
    ),
    _stream.should(
        "ended",
        "The metadata triton_grpc_error asks that an error ends the stream, by its code.",
        changed(_sent(_numbered(1)), {"triton_grpc_error": "true"}),
        INVALID,
    ),
)

_repository = Group("oip.grpc.repository", "model_repository")
_NOT_ALLOWED = (400, 401, 403, 501, 503)


def _control(what: str, model: str = PAIR) -> Any:
    name = f"RepositoryModel{what}"
    return grpc_call(INFERENCE, name, {"model_name": model}, model if model == PAIR else "")


_READY = grpc_call(INFERENCE, "ModelReady", {"name": PAIR})

GRPC_REPOSITORY_CASES = (
    _repository.must(
        "index",
        "The index has an entry for each version.",
        grpc_call(INFERENCE, "RepositoryIndex", {}, AFFINE),
        ANSWERED,
        json_where(
            "versions '1' and '2', which are READY",
            lambda d: (
                {m["version"] for m in d["models"] if (m["name"], m["state"]) == (AFFINE, "READY")}
                >= {"1", "2"}
            ),
        ),
    ),
    _repository.must(
        "load_unknown",
        "A model that is not there cannot be loaded.",
        probe(_control("Load"), ANSWERED, skips=_NOT_ALLOWED),
        probe(_control("Load", "nobody"), NOT_OK),
    ),
    _repository.must(
        "unload",
        "A model that was unloaded refuses to answer, until it is loaded again.",
        probe(_control("Unload"), ANSWERED, skips=_NOT_ALLOWED),
        probe(infer_call(PAIR, A, B), code("UNAVAILABLE", "NOT_FOUND", "INVALID_ARGUMENT")),
        probe(_control("Load"), ANSWERED),
        probe(_READY, has_json({"ready": True})),
        probe(infer_call(PAIR, A, B), calls_outputs(SUM, DIFFERENCE)),
        afterwards=_control("Load"),
    ),
)

_more = Group("oip.grpc.statistics", "statistics")
_STATS = grpc_call(INFERENCE, "ModelStatistics", {"name": AFFINE, "version": "2"}, AFFINE, "2")


def _successes(document: Any) -> int:
    (found,) = document["model_stats"]
    return int(found["inference_stats"]["success"]["count"])


GRPC_STATISTICS_CASES = (
    _more.must(
        "success",
        "A call that was answered counts as a success.",
        probe(_STATS, ANSWERED),
        probe(infer_call(AFFINE, ROW, model_version="2"), calls_outputs(ADDED)),
        probe(_STATS, ANSWERED, grows("one more", _successes, 1)),
    ),
    _more.must(
        "unknown_model",
        "Statistics of a model that is not there are an error.",
        grpc_call(INFERENCE, "ModelStatistics", {"name": "nobody"}),
        code("NOT_FOUND", "INVALID_ARGUMENT", "UNAVAILABLE"),
    ),
)
