"""The same over gRPC: whatever a server answers becomes of a case."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
from tfaas_plugins.protocols.private_pool import message_class

from tests.server.changing_calls import serving
from tfaas_core.cli import main
from tfaas_core.testing.conformance import cases
from tfaas_core.testing.conformance.calls.messages import documents_of
from tfaas_core.testing.conformance.calls.subject import GrpcSubject
from tfaas_core.testing.conformance.exchange import CODE, MAX_BODY_BYTES, Reply, Unmet
from tfaas_core.testing.tries import tries

ALL = {case.id: case for p in ("oip", "tfserving") for case in cases(p, over_grpc=True)}
SOME = ("oip.grpc.infer.raw", "oip.grpc.stream.several", "tfserving.grpc.predict.typed")
TIMEOUT_S = 2.0


class Says(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers all calls by one function of the context."""

    def __init__(self, answer: Callable[[Any], Iterator[bytes]]) -> None:
        self._answer = answer

    def service(self, details: Any) -> Any:
        def one(_message: bytes, context: Any) -> bytes:
            return next(self._answer(context))

        def many(_sent: Iterator[bytes], context: Any) -> Iterator[bytes]:
            return self._answer(context)

        if details.method.endswith("ModelStreamInfer"):
            return grpc.stream_stream_rpc_method_handler(many)
        return grpc.unary_unary_rpc_method_handler(one)


def rubbish(_context: Any) -> Iterator[bytes]:
    yield random.Random(7).randbytes(100)


def nothing(_context: Any) -> Iterator[bytes]:
    yield b""


def without_end(_context: Any) -> Iterator[bytes]:
    while True:
        yield b""


def too_much(_context: Any) -> Iterator[bytes]:
    yield bytes(MAX_BODY_BYTES + 1)


def no_answer(context: Any) -> Iterator[bytes]:
    over = threading.Event()
    context.add_callback(over.set)
    over.wait(30)
    yield b""


def strange_details(context: Any) -> Iterator[bytes]:
    context.abort(grpc.StatusCode.DATA_LOSS, "\x1b[2J\x07 ключ\n\x00")
    yield b""


def a_crash(_context: Any) -> Iterator[bytes]:
    yield bytes(int("no number"))


@pytest.mark.parametrize(
    "answer", [rubbish, nothing, without_end, too_much, no_answer, strange_details, a_crash]
)
def test_a_hostile_server_fails(answer: Callable[[Any], Iterator[bytes]]) -> None:
    with serving(Says(answer)) as address, GrpcSubject(address, timeout_s=TIMEOUT_S) as subject:
        outcomes = [subject.outcome(ALL[name]) for name in SOME]
    assert {outcome.result for outcome in outcomes} == {"failed"}
    for outcome in outcomes:
        assert all(line.isascii() and line.isprintable() for line in str(outcome).split("\n"))


def test_no_case_holds_for_whatever_is_answered() -> None:
    with serving(Says(nothing)) as address, GrpcSubject(address) as subject:
        left = {name for name, case in ALL.items() if subject.outcome(case).result == "passed"}
    # An error of any code is an answer; these are of none that a case expects.
    with serving(Says(strange_details)) as address, GrpcSubject(address) as subject:
        left = {name for name in left if subject.outcome(ALL[name]).result == "passed"}
    assert left == set()


def test_what_is_no_grpc_is_asked_no_further(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # so that nobody else takes the port
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert main(["conformance", "--grpc", address]) == 1
    told = capfd.readouterr().out
    assert "got       no answer: failed to connect" in told
    assert "the server answered none of the requests before" in told


def replies(path: str, chance: random.Random) -> Iterator[Reply]:
    """Messages of the right kind that hold anything, as documents."""
    kind = message_class(_ANSWERS[path.rpartition("/")[2]])
    content = kind().SerializeToString() + filled(kind, chance).SerializeToString()
    with suppress(Unmet):
        found = documents_of(path, [content] * 2)
        document = {"messages": found} if path.endswith("ModelStreamInfer") else found[0]
        yield Reply(200, {CODE: "OK"}, json.dumps(document).encode())


_ANSWERS = {
    "ModelInfer": "inference.ModelInferResponse",
    "ModelStreamInfer": "inference.ModelStreamInferResponse",
    "ModelMetadata": "inference.ModelMetadataResponse",
    "ModelReady": "inference.ModelReadyResponse",
    "ModelStatistics": "inference.ModelStatisticsResponse",
    "RepositoryIndex": "inference.RepositoryIndexResponse",
    "ServerMetadata": "inference.ServerMetadataResponse",
    "Predict": "tensorflow.serving.PredictResponse",
    "GetModelMetadata": "tensorflow.serving.GetModelMetadataResponse",
    "GetModelStatus": "tensorflow.serving.GetModelStatusResponse",
    "Classify": "tensorflow.serving.ClassificationResponse",
    "Regress": "tensorflow.serving.RegressionResponse",
    "MultiInference": "tensorflow.serving.MultiInferenceResponse",
}


def filled(kind: Any, chance: random.Random, depth: int = 0) -> Any:
    """A message of which each field has something, or nothing."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if chance.random() < 0.3 or depth > 6:
            continue
        is_map = field.message_type and field.message_type.GetOptions().map_entry
        if is_map:
            value_kind = field.message_type.fields_by_name["value"]
            if value_kind.message_type:
                target = getattr(message, field.name)[chance.choice(("", "y", "sum"))]
                target.CopyFrom(filled(type(target), chance, depth + 1))
        elif field.message_type:
            target = getattr(message, field.name)
            each = target.add() if field.is_repeated else target
            each.CopyFrom(filled(type(each), chance, depth + 1))
        else:
            value = {9: "y", 12: b"\0\1\2", 8: True}.get(field.type, 1)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)
    return message


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_no_expectation_raises_anything_else(case: Any) -> None:
    for seed in range(tries(10)):
        for probe in case.probes:
            if probe.ask.path.rpartition("/")[2] in _ANSWERS:
                for reply in replies(probe.ask.path, random.Random(seed)):
                    for expected in probe.expected:
                        with suppress(Unmet):
                            expected.holds([reply, reply])
