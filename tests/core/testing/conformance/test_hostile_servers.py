"""Whatever a server answers becomes of a case, soon and on lines that a terminal can show."""

from __future__ import annotations

import gzip
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import pytest

from tfaas_core.cli import main
from tfaas_core.testing.conformance import Case, CaseOutcome, Subject, cases
from tfaas_core.testing.conformance.exchange import MAX_BODY_BYTES, Reply, Unmet
from tfaas_core.testing.tries import tries

ALL = [case for protocol in ("oip", "tfserving") for case in cases(protocol)]
SOME = [
    case for case in ALL if case.id.rpartition(".")[2] in ("row", "both_ways", "largest", "pairs")
]
TIMEOUT_S = 0.5
Talk = Callable[[socket.socket], None]


@contextmanager
def talking(talk: Talk) -> Iterator[str]:
    """Takes the head of each request, lets ``talk`` answer, and hangs up; gives the URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with listening.accept()[0] as connection, suppress(OSError):
                connection.settimeout(30)
                if not over.is_set() and connection.recv(65536):
                    talk(connection)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass

    thread = threading.Thread(target=serve)
    thread.start()
    host, port = listening.getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        over.set()
        socket.create_connection((host, port)).close()
        thread.join()
        listening.close()


def says(*pieces: bytes) -> Talk:
    return lambda connection: connection.sendall(b"".join(pieces))


def answers(body: bytes, *headers: str, status: str = "200 OK") -> Talk:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return says("\r\n".join(lines).encode("latin-1"), b"\r\n\r\n", body)


@cache
def bomb() -> bytes:
    return gzip.compress(bytes(2 * MAX_BODY_BYTES))


def for_ever(first: bytes, then: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(then)

    return talk


def slowly(first: bytes, then: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(then)
            time.sleep(0.05)

    return talk


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = "Inference-Header-Content-Length"
GZIP = "Content-Encoding: gzip"

HOSTILE: dict[str, Talk] = {
    "says nothing": says(),
    "says no HTTP": says(b"220 smtp ready\r\n"),
    "says binary rubbish": says(random.Random(7).randbytes(4096)),
    "ends within its head": says(OK + b"Content-Le"),
    "has a head without end": for_ever(OK, b"X-More: " + b"x" * 1000 + b"\r\n"),
    "has a line without end": for_ever(OK + b"X-More: ", b"x" * 65536),
    "is always about to answer": for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "sends its head slowly": slowly(OK, b"x"),
    "sends its body slowly": slowly(OK + b"Content-Length: 1000\r\n\r\n", b"x"),
    "sends chunks slowly": slowly(CHUNKED, b"1\r\nx\r\n"),
    "sends a body without end": for_ever(OK + b"\r\n", b" " * 65536),
    "sends chunks without end": for_ever(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "breaks its chunks": says(CHUNKED, b"zz\r\nx\r\n"),
    "says a length that is too long": says(OK, b"Content-Length: 100\r\n\r\n{}"),
    "says a negative length": says(OK, b"Content-Length: -1\r\n\r\n{}"),
    "sends a bomb": lambda connection: answers(bomb(), GZIP)(connection),
    "sends no gzip": answers(b"{}", GZIP),
    "cuts its gzip": answers(gzip.compress(b"{}" * 100)[:-9], GZIP),
    "packs by rubbish": answers(b"{}", "Content-Encoding: \x1b[31m\x80"),
    "nests deeply": answers(b"[" * 1_000_000),
    "sends long numbers": answers(b'{"outputs": ' + b"9" * 1_000_000 + b"}"),
    "sends lone surrogates": answers(b'{"error": "\\ud800", "outputs": "\\udfff"}'),
    "moves the cursor": answers(b"\x1b[2J\x1b[31m\x07\r\x9b{}\xe2\x80\xae"),
    "sends no UTF-8": answers(b'{"outputs": "\xff\xfe"}'),
    "says a length of JSON beyond the body": answers(b"{}", f"{LENGTH}: 99"),
    "says a length of JSON that is none": answers(b"{}", f"{LENGTH}: -1"),
    "says a long length of JSON": answers(b"{}", f"{LENGTH}: {'9' * 5000}"),
    "sends the client elsewhere": answers(b"", "Location: /elsewhere", status="302 Found"),
    "has a strange status": answers(b"{}", status="999 Strange"),
    "answers null": answers(b"null"),
    "answers a list": answers(b"[[]]"),
}


def is_shown(outcome: CaseOutcome) -> bool:
    lines = str(outcome).split("\n")
    return all(line.isascii() and line.isprintable() and len(line) < 2000 for line in lines[1:])


@pytest.mark.parametrize("talk", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_server_fails(talk: Talk) -> None:
    with talking(talk) as url:
        subject = Subject(url, timeout_s=TIMEOUT_S)
        outcomes = [subject.outcome(case) for case in SOME]
    assert {outcome.result for outcome in outcomes} <= {"failed", "skipped"}
    assert "failed" in {outcome.result for outcome in outcomes}
    assert all(map(is_shown, outcomes))


def test_an_answer_may_take_no_longer_than_was_said() -> None:
    with talking(HOSTILE["sends its body slowly"]) as url:
        began = time.monotonic()
        outcome = Subject(url, timeout_s=TIMEOUT_S).outcome(SOME[0])
        took_s = time.monotonic() - began
    assert outcome.fault is not None
    assert outcome.fault.got == "no whole answer within 0.5 s"
    assert took_s < 10


def test_a_server_that_never_answers_is_not_asked_on_and_on() -> None:
    asked = []
    with talking(lambda connection: asked.append(connection)) as url:
        subject = Subject(url)
        outcomes = [subject.outcome(case) for case in ALL]
    assert {outcome.result for outcome in outcomes} == {"failed"}
    assert len(asked) < 10
    assert outcomes[-1].reason.startswith("the server answered none of the requests before")


def test_the_command_has_an_exit_code_and_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    with talking(HOSTILE["moves the cursor"]) as url:
        assert main(["conformance", url, "--only", "oip.infer"]) == 1
    told = capfd.readouterr()
    assert "\x1b" not in told.out
    assert "Traceback" not in told.out + told.err
    tried = len(cases("oip", only="oip.infer"))
    assert told.out.splitlines()[-1].split() == ["all", "0", str(tried), "0"]


def test_a_server_that_is_not_there_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # so that nobody else takes the port
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert main(["conformance", url, "--only", "oip.health"]) == 1
    assert "got       no answer: Connection refused" in capfd.readouterr().out


NASTY: list[Any] = [
    *(None, True, -1, 10**400, 1e308, float("nan"), "", "\ud800", [], {}, [[]], [None], {"": {}}),
    *("9" * 1000, [{}], {"outputs": [{"name": "y"}]}, -(2**70), "-1", [1, "a", None]),
]


def replaced(value: Any, chance: random.Random) -> Any:
    """A document of which some part is another."""
    if chance.random() < 0.15:
        return chance.choice(NASTY)
    if isinstance(value, dict):
        return {key: replaced(v, chance) for key, v in value.items() if chance.random() < 0.95}
    if isinstance(value, list):
        return [replaced(v, chance) for v in value]
    return value


WELL_MEANT: list[Any] = [
    {"outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 3], "data": [3.0, 4.0, 5.0]}]},
    {"outputs": [{"name": "y", "datatype": "BYTES", "shape": [1], "data": ["1.0:1"]}]},
    {"outputs": [{"name": "y", "datatype": "X", "parameters": {"binary_data_size": 2}}]},
    {"name": "a", "version": "1", "extensions": ["b"], "platform": "c", "versions": ["1", "2"]},
    {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}], "outputs": [{}]},
    {"predictions": [[3.0, 4.0, 5.0]], "results": [[["low", 0.5]]], "error": "no"},
    {"model_version_status": [{"version": "1", "state": "AVAILABLE", "status": {}}]},
    {"metadata": {"signature_def": {"signature_def": {"serving_default": {"inputs": {"x": {}}}}}}},
    {"model_stats": [{"name": "a", "version": "1", "inference_stats": {"success": {"count": 1}}}]},
    [{"name": "conformance_affine", "version": "1", "state": "READY", "reason": ""}],
]


@pytest.mark.parametrize("document", WELL_MEANT, ids=range(len(WELL_MEANT)))
def test_no_expectation_raises_anything_else(document: Any) -> None:
    for seed in range(tries(20)):
        chance = random.Random(seed)
        text = json.dumps(replaced(document, chance)).encode()
        headers = {LENGTH.lower(): str(len(text))} if chance.random() < 0.3 else {}
        reply = Reply(200, headers, text + (b"\0\1\2" if headers else b""))
        for case in ALL:
            look(case, [reply, reply])


def look(case: Case, replies: list[Reply]) -> None:
    for probe in case.probes:
        for expected in probe.expected:
            with suppress(Unmet):
                expected.holds(replies)


def test_the_text_of_what_was_sent_can_be_shown() -> None:
    assert all(probe.ask.line.isprintable() for case in ALL for probe in case.probes)
    assert all(probe.ask.line.isascii() for case in ALL for probe in case.probes)
