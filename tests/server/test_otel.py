"""Traces of a real server, as an OTLP receiver gets them."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.server.grpc_calls import INFER, called, channel_to, infer_request
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

ROW = {"model": "vk", "values": [1, 2, 3]}
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=x"}
NOT_SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-00"}


class Receiver(ThreadingHTTPServer):
    """An OTLP receiver over HTTP, which keeps all spans."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Any] = []
        self.services: set[str] = set()
        self.headers: set[str | None] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        told = ExportTraceServiceRequest.FromString(body)
        assert self.path == "/v1/traces"
        self.server.headers.add(self.headers.get("X-Token"))
        for resource in told.resource_spans:
            attributes = values(resource.resource)
            self.server.services.add(attributes["service.name"])
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


def values(span: Any) -> dict[str, Any]:
    found = {}
    for each in span.attributes:
        found[each.key] = getattr(each.value, each.value.WhichOneof("value"))
    return found


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        receiver.server_close()
        thread.join()


@pytest.fixture(scope="module")
def traced(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningServer, Receiver]]:
    """A server that traces what its clients trace, and nothing else."""
    folder = tmp_path_factory.mktemp("otel")
    with receiving() as receiver:
        settings = (
            f"plugins.otel.endpoint={receiver.url}",
            "plugins.otel.sample=0.0",
            'plugins.otel.headers={"X-Token" = {env = "OTLP_TOKEN"}}',
            "plugins.grpc.port=0",
        )
        env = {"OTLP_TOKEN": "of-the-receiver", "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with fake_server(folder, *settings, env=env) as server:
            yield server, receiver


def test_a_prediction_that_its_client_traces_is_a_span_with_its_steps(
    traced: tuple[RunningServer, Receiver],
) -> None:
    server, receiver = traced
    server.upload("vk", b"sum")
    assert server.http.post("/json", json=ROW, headers=NOT_SAMPLED).status_code == 200
    assert server.http.post("/json", json=ROW).status_code == 200
    assert server.http.post("/json", json=ROW, headers=SAMPLED).status_code == 200
    until(lambda: receiver.named("POST /json") != [])
    (span,) = receiver.named("POST /json")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.trace_state == "vendor=x"
    told = values(span)
    assert (told["http.route"], told["http.response.status_code"]) == ("/json", 200)
    assert (told["tfaas.model"], told["tfaas.version"], told["tfaas.codec"]) == ("vk", 1, "json")
    parts = [each for each in receiver.spans if each.parent_span_id == span.span_id]
    steps = sorted(parts, key=lambda each: each.start_time_unix_nano)
    assert [each.name for each in steps] == ["parse", "bind", "queue", "run", "encode"]
    times = [(each.start_time_unix_nano, each.end_time_unix_nano) for each in (span, *steps)]
    assert all(begin <= end for begin, end in times)
    assert times[0][0] <= times[1][0]
    assert times[-1][1] <= times[0][1]
    assert {each.trace_id.hex() for each in steps} == {TRACE}
    assert (receiver.services, receiver.headers) == ({"tfaas"}, {"of-the-receiver"})


def test_an_upload_has_spans_for_what_takes_long(traced: tuple[RunningServer, Receiver]) -> None:
    server, receiver = traced
    files = {"model": ("model.pb", b"sum")}
    named = {"name": "guest"}
    answer = server.http.post("/upload", data=named, files=files, headers=SAMPLED)
    assert answer.status_code == 200
    until(lambda: receiver.named("POST /upload") != [])
    (span,) = receiver.named("POST /upload")
    steps = [each.name for each in receiver.spans if each.parent_span_id == span.span_id]
    assert steps == ["receive", "unpack", "load", "examples", "store", "switch"]


def test_other_codecs_and_answers_in_another_format_are_followed_alike(
    traced: tuple[RunningServer, Receiver],
) -> None:
    server, receiver = traced
    server.upload("vk", b"sum")
    plain = server.http.post("/predict", json=ROW)
    accept = {"Accept": "application/msgpack"}
    other = server.http.post("/predict", json=ROW, headers=accept)
    assert server.http.post("/predict", json=ROW, headers=SAMPLED).content == plain.content
    traced_other = server.http.post("/predict", json=ROW, headers=accept | SAMPLED)
    assert traced_other.content == other.content
    assert traced_other.headers["content-type"] == "application/msgpack"
    until(lambda: len(receiver.named("POST /predict")) == 2)


STEPS = ["parse", "bind", "queue", "run", "encode"]


def steps_of(receiver: Receiver, span: Any) -> list[str]:
    """The names of a span's parts, in order; they lie within it, one after another."""
    parts = [each for each in receiver.spans if each.parent_span_id == span.span_id]
    parts.sort(key=lambda each: (each.start_time_unix_nano, each.end_time_unix_nano))
    times = [(each.start_time_unix_nano, each.end_time_unix_nano) for each in parts]
    assert all(begin <= end for begin, end in times)
    assert span.start_time_unix_nano <= times[0][0]
    assert max(end for _begin, end in times) <= span.end_time_unix_nano
    assert all(before[1] <= after[0] + 1000 for before, after in pairwise(times))
    return [each.name for each in parts]


@contextmanager
def a_trace(receiver: Receiver, size: int) -> Iterator[list[Any]]:
    """After the block, has the span of the one request in there that is traced.

    ``size``: how many spans come of it, with those of its parts.
    """
    before, found = len(receiver.spans), list[Any]()
    yield found
    until(lambda: len(receiver.spans) == before + size)
    found += [each for each in receiver.spans[before:] if each.parent_span_id.hex() == PARENT]


SERVING = {"instances": [[1, 2, 3]]}
TENSOR = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}


def test_a_prediction_by_a_protocol_has_the_same_steps(
    traced: tuple[RunningServer, Receiver],
) -> None:
    server, receiver = traced
    server.upload("vk", b"sum")
    name = server.http.get("/models/vk").json()["signature"]["inputs"][0]["name"]
    asked = {
        "/v1/models/vk:predict": SERVING,
        "/v2/models/vk/infer": {"inputs": [TENSOR | {"name": name}]},
    }
    for path, document in asked.items():
        with a_trace(receiver, 6) as spans:
            answer = server.http.post(path, json=document, headers=SAMPLED)
            assert answer.status_code == 200, answer.text
        assert steps_of(receiver, spans[0]) == STEPS


def test_a_call_of_grpc_has_them_as_well(traced: tuple[RunningServer, Receiver]) -> None:
    server, receiver = traced
    server.upload("vk", b"sum")
    name = server.http.get("/models/vk").json()["signature"]["inputs"][0]["name"]
    asked = infer_request("vk", [[1.0, 2.0, 3.0]])
    asked.inputs[0].name = name
    with channel_to(server) as channel, a_trace(receiver, 6) as spans:
        message = asked.SerializeToString()
        called(channel, INFER, message, metadata=[*SAMPLED.items()])
    assert steps_of(receiver, spans[0]) == STEPS
    assert values(spans[0])["tfaas.codec"] == "oip"


@pytest.mark.parametrize(
    ("path", "sent", "status", "steps"),
    [
        ("/v1/models/vk:predict", b"no JSON", 400, ["parse"]),
        ("/v1/models/nobody:predict", b'{"instances": [[1, 2, 3]]}', 404, ["parse"]),
        ("/v1/models/vk:predict", b'{"instances": [["a"]]}', 400, ["parse", "bind"]),
        ("/v2/models/vk/infer", b"{}", 400, ["parse"]),
        ("/v2/models/vk/infer", b'{"inputs": []}', 400, ["parse", "bind"]),
    ],
)
def test_a_refusal_by_a_protocol_ends_with_the_step_that_it_came_from(
    traced: tuple[RunningServer, Receiver], path: str, sent: bytes, status: int, steps: list[str]
) -> None:
    server, receiver = traced
    server.upload("vk", b"sum")
    with a_trace(receiver, 1 + len(steps)) as spans:
        answer = server.http.post(path, content=sent, headers=SAMPLED)
        assert answer.status_code == status, answer.text
    assert steps_of(receiver, spans[0]) == steps


def test_a_failure_is_an_error_and_rubbish_in_a_traceparent_is_not_heeded(
    traced: tuple[RunningServer, Receiver],
) -> None:
    server, receiver = traced
    path = "/models/nobody/predict/json"
    for sent in ("rubbish", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 5_000):
        answer = server.http.post(path, json=ROW, headers={"traceparent": sent})
        assert answer.status_code in (404, 422)
    wrong_state = SAMPLED | {"tracestate": ";;;=,vendor"}
    assert server.http.get("/metrics", headers=wrong_state).status_code == 200
    until(lambda: receiver.named("GET /metrics") != [])
    # Nor does it fill the log.
    assert "opentelemetry" not in server.log.read_text()
    assert receiver.named("POST /models/{name}/predict/json") == []
    assert receiver.named("GET /metrics")[0].status.code == 0


def test_a_receiver_that_is_away_harms_no_request_and_no_end(tmp_path: Path) -> None:
    settings = ("plugins.otel.endpoint=http://127.0.0.1:9", "plugins.otel.sample=1.0")
    with fake_server(tmp_path, *settings, "server.workers=1") as server:
        server.upload("vk", b"sum")
        for _ in range(20):
            assert server.http.post("/json", json=ROW).status_code == 200
        assert server.stop() == 0


def test_what_is_left_is_sent_when_the_server_ends(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = (f"plugins.otel.endpoint={receiver.url}", "plugins.otel.sample=1.0")
        distrust = ("plugins.otel.trusts_clients=false", "server.workers=1")
        with fake_server(tmp_path, *settings, *distrust) as server:
            server.upload("vk", b"sum")
            assert server.http.post("/json", json=ROW, headers=NOT_SAMPLED).status_code == 200
            assert server.stop() == 0
        (span,) = receiver.named("POST /json")
        assert (span.trace_id.hex() != TRACE, span.parent_span_id) == (True, b"")


def test_a_wrong_endpoint_is_an_error_of_the_start(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="should be like http://host:4318"),
        fake_server(tmp_path, "plugins.otel.endpoint=localhost:4318"),
    ):
        pass


def test_nothing_of_it_is_imported_unless_it_is_asked_for() -> None:
    code = "import tfaas_plugins.otel, sys; print('opentelemetry' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
