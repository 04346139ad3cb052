"""The predict routes of codecs: what a codec sees of a request, and what it may say beside."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from tests.core.http.predicting import Doubling, doubling_host
from tests.core.http.served import SANICS, Served, serve_host
from tests.core.plugins.sources import InstallPlugin
from tests.plugins.codecs.image.images import FORM, file, images, picture
from tfaas_core.errors import QueueFull
from tfaas_core.tensors import Array

ECHO = """
from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.hookspecs import hookimpl
from tfaas_core.tensors import Bound
import numpy as np

class EchoDocument(Document):
    head: object = None

class Echo(Codec):
    name = "echo"
    media_types = ("text/echo",)

    def parse(self, body, head):
        return EchoDocument(head=head)

    def bind(self, document, version):
        return Bound({"x": np.ones((1, 3), np.float32)}, 1, True)

    def encode(self, outputs, bound, document, version):
        head = document.head
        said = [head.method, head.path, head.query.get("q"), head.headers.get("x-q"),
                head.content_type, dict(head.path_fields)]
        return Encoded(repr(said).encode(), "text/echo", HEADERS)

HEADERS = {}

@hookimpl
def tfaas_register_codecs():
    return [Echo()]
"""


def ask(
    folder: Path, target: str, *headers: str, lane: tuple[str, ...] = (), times: int = 1
) -> list[bytes]:
    """What a host with the installed plugins answers."""
    answers: list[bytes] = []

    async def test(served: Served) -> None:
        connection = await served.connect()
        for _ in range(times):
            connection.post(target, b"{}", *headers, *lane)
            answers.append(await connection.answer())

    serve_host(doubling_host(folder), test)
    return answers


@pytest.mark.parametrize("lane", [(), SANICS], ids=["express", "Sanic's"])
def test_a_codec_sees_the_head_of_the_request(
    install_plugin: InstallPlugin, tmp_path: Path, lane: tuple[str, ...]
) -> None:
    install_plugin("tfaas-echo", ECHO)
    target = "models/vk/versions/1/predict/echo?q=1&q=2"
    headers = ("Content-Type: text/echo; a=b", "X-Q: 3")
    (answer,) = ask(tmp_path, target, *headers, lane=lane)
    assert b"\r\nTFaaS-Model: vk/1\r\n" in answer
    said = ["POST", "/models/vk/versions/1/predict/echo", "1", "3", "text/echo; a=b"]
    fields = {"name": "vk", "version": "1"}
    assert answer.endswith(repr([*said, fields]).encode())


JSON = "Content-Type: application/json"
USUAL = b'{"values": [1, 2, 3]}'
PNG = file(picture([[1, 2, 3]]))


@pytest.mark.parametrize(
    ("path", "body", "headers", "is_short"),
    [
        *(("json", body, (JSON,), True) for body in (USUAL, b'{"values": [[1, 2, 3], [4, 5, 6]]}')),
        ("predict/json", b'{"values": [1, 2, 3], "model": "vk"}', (), True),
        ("json", USUAL, ("Content-Type: Application/JSON; charset=utf-8",), True),
        ("models/vk/predict/json", USUAL, (JSON,), True),
        ("models/vk/predict/json", b'{"values": [1, 2, 3], "model": "vk"}', (JSON,), True),
        ("models/two/predict/json", USUAL, (JSON,), True),
        ("models/two/predict/json", b'{"values": [1, 2, 3], "signature": "b"}', (JSON,), False),
        ("models/neither/predict/json", USUAL, (JSON,), False),
        ("models/picture/predict/image", PNG, ("Content-Type: image/png",), True),
        ("image", images(PNG, model="picture"), (f"Content-Type: {FORM}",), True),
        ("models/picture/predict/json", b'{"values": [[[[1], [2], [3]]]]}', (JSON,), False),
        ("models/picture/predict/json", b'{"values": [1, 2, 3], "model": "vk"}', (JSON,), False),
        ("models/vk/versions/1/predict/json", USUAL, (JSON,), False),
        ("models/nobody/predict/json", USUAL, (JSON,), False),
        ("json", b'{"values": [1, 2, 3], "version": 1}', (JSON,), False),
        ("json", b'{"values": [1, 2], "model": "vk"}', (JSON,), False),
        ("json", b'{"values": [%b[1, 2, 3]]}' % (b"[1, 2, 3]," * 9), (JSON,), False),
        ("json", b'{"values": [1, 2, true]}', (JSON,), False),
        ("json", USUAL, ("Content-Type: text/plain",), False),
        ("json", USUAL, (JSON, "Content-Encoding: gzip"), False),
        ("json", USUAL, (JSON, "X-Request-Id: 1"), False),
        ("json", USUAL, (JSON, "Sec-Fetch-Site: cross-site"), False),
    ],
)
def test_what_takes_the_short_way_is_answered_as_all_else(
    tmp_path: Path, path: str, body: bytes, headers: tuple[str, ...], is_short: bool
) -> None:
    async def test(served: Served) -> None:
        connection = await served.connect()
        answers = []
        for lane in (SANICS, (), ()):
            connection.post(path, body, *headers, *lane)
            head, _, answer = (await connection.answer()).partition(b"\r\n\r\n")
            lines = sorted(head.split(b"\r\n"))
            # Each answer has an id of its own.
            answers.append([answer, *(line for line in lines if b"X-Request-Id" not in line)])
        assert answers[0] == answers[1] == answers[2]

    engine = Doubling()
    serve_host(doubling_host(tmp_path, "engine.max_queue_rows=9", engine=engine), test)
    assert (engine.begun > 0) is is_short


TOLD = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.observer import Observer

class Told(Observer):
    def __init__(self, host):
        self._told = host.shared.setdefault("told", [])

    def answered(self, answer):
        self._told.append(answer)

@hookimpl
def tfaas_register_observers(host):
    return [Told(host)]
"""


class Full(Doubling):
    """No more rows may wait."""

    def begin(self, *_asked: object) -> bool:
        self.begun += 1
        raise QueueFull("full")

    async def _run(self, inputs: Sequence[Array]) -> list[Array]:
        raise QueueFull("full")


@pytest.mark.parametrize("engine", [Doubling(), Full()], ids=["answered", "refused"])
def test_observers_are_told_the_same_of_what_takes_the_short_way(
    install_plugin: InstallPlugin, tmp_path: Path, engine: Doubling
) -> None:
    async def test(served: Served) -> None:
        connection = await served.connect()
        for _ in range(3):
            connection.post("json", b'{"values": [[1, 2, 3], [4, 5, 6]]}')
            await connection.answer()

    install_plugin("tfaas-told", TOLD)
    host = doubling_host(tmp_path, engine=engine)
    serve_host(host, test)
    long, *short = [
        msgspec.structs.replace(each, duration_s=0, wait_s=None, run_s=None, request_id="")
        for each in host.shared["told"]
    ]
    assert short == [long, long]
    assert (long.codec, long.model, long.version, long.rows) == ("json", "vk", 2, 2)
    assert engine.begun > 0


def test_a_codec_may_add_headers(install_plugin: InstallPlugin, tmp_path: Path) -> None:
    install_plugin("tfaas-echo", ECHO.replace("HEADERS = {}", 'HEADERS = {"X-Took": "1 ms"}'))
    for answer in ask(tmp_path, "echo", times=2):
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nX-Took: 1 ms\r\n" in answer


BAD_HEADERS = {
    "a line": {"X": "1\r\nSet-Cookie: a=b"},
    "a bare LF": {"X": "1\n"},
    "a NUL": {"X": "\0"},
    "no ASCII": {"X": "é"},
    "no text": {"X": 1},
    "a name with a colon": {"X:": "1"},
    "a name with a line": {"X\r\nY": "1"},
    "no name": {"": "1"},
    "a length": {"Content-Length": "0"},
    "another length": {"CONTENT-length": "0"},
    "an end": {"Connection": "close"},
    "chunks": {"Transfer-Encoding": "chunked"},
    "a model": {"tfaas-model": "x/1"},
    "a type": {"Content-Type": "text/html"},
}


@pytest.mark.parametrize("headers", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_a_bad_header_of_a_codec_is_a_500_that_names_the_plugin_in_the_log(
    install_plugin: InstallPlugin,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    headers: dict[str, object],
) -> None:
    install_plugin("tfaas-echo", ECHO.replace("HEADERS = {}", f"HEADERS = {headers!r}"))
    with caplog.at_level(logging.ERROR):
        answers = ask(tmp_path, "echo", times=2)
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b'"plugin":"tfaas_echo","model":"vk"' in answer
        assert b"set-cookie" not in answer.lower()
    assert len(caplog.records) == 2
    assert all("plugin tfaas_echo failed in encode" in each.message for each in caplog.records)


FAILING: dict[str, Callable[[str], str]] = {
    "parse": lambda source: source.replace("return EchoDocument(head=head)", "1 / 0"),
    "encode": lambda source: source.replace("head = document.head", "1 / 0"),
    "an exit": lambda source: source.replace("head = document.head", "raise SystemExit"),
    "an exit in a thread": lambda source: source.replace(
        "return Bound(", "raise SystemExit\n        Bound("
    ).replace("def bind", "def is_heavy(self, document, version): return True\n    def bind"),
    "an odd truth": lambda source: source.replace(
        "def bind", "def is_heavy(self, document, version): return np.ones(2)\n    def bind"
    ),
    "no answer": lambda source: source.replace("return Encoded(", "(").replace("HEADERS)", ")"),
}


@pytest.mark.parametrize("change", FAILING.values(), ids=FAILING)
def test_a_codec_that_fails_is_a_500_that_names_its_plugin_in_the_log(
    install_plugin: InstallPlugin,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[str], str],
) -> None:
    install_plugin("tfaas-echo", change(ECHO))
    for lane in ((), SANICS):
        (answer,) = ask(tmp_path / str(len(lane)), "echo", lane=lane)
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b'"plugin":"tfaas_echo"' in answer
    assert len(caplog.records) == 2
    assert all("plugin tfaas_echo failed in " in record.message for record in caplog.records)


INFER = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.predict_routes import target_of
from tfaas_core.route import Route

@hookimpl
def tfaas_register_routes(host):
    async def infer(request):
        return await host.predict(request, host.codecs["json"], target_of(request.path_fields))

    paths = ("/v9/{name}/infer", "/v9/{name}/versions/{version}/infer", "/v9/infer")
    return [Route(path, ("POST",), infer, express=True, right="predict") for path in paths]
"""


@pytest.mark.parametrize("lane", [(), SANICS], ids=["express", "Sanic's"])
def test_a_route_of_a_plugin_answers_as_predict_routes_do(
    install_plugin: InstallPlugin, tmp_path: Path, lane: tuple[str, ...]
) -> None:
    install_plugin("tfaas-v9", INFER)
    host = doubling_host(tmp_path)
    row = b'{"values": [1, 2, 3]}'
    asked = {
        ("v9/vk/infer", "models/vk/predict/json"): (row, "application/json", 200),
        ("v9/vk/versions/1/infer", "models/vk/versions/1/predict/json"): (row, "", 200),
        ("v9/infer", "json"): (row, "application/x-www-form-urlencoded", 200),
        ("v9/no/infer", "models/no/predict/json"): (row, "application/json", 404),
        ("v9/vk/versions/x/infer", "models/vk/versions/x/predict/json"): (row, "", 422),
        ("v9/vk/infer", "models/vk/predict/json/"): (row, "text/csv", 415),
        ("v9/vk/infer/", "models/vk/predict/json"): (b"{", "application/json", 400),
        ("v9/infer/", "json"): (b'{"values": [1]}', "application/json", 422),
    }

    async def test(served: Served) -> None:
        connection = await served.connect()
        for (mine, ours), (body, media_type, status) in asked.items():
            answers = []
            for target in (mine, ours):
                connection.post(target, body, f"Content-Type: {media_type}", *lane)
                answers.append(await connection.answer())
            assert answers[0] == answers[1]
            assert answers[0].startswith(b"HTTP/1.1 %d " % status)
            assert (b"\r\nTFaaS-Model: vk/" in answers[0]) == (status == 200)

    serve_host(host, test)
