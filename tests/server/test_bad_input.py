"""Bad input: its status, one true sentence, and nothing stored or changed."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"values": [1, 2, NaN], "model": "doubler"}', 400),
        (b"[" * 50_000, 400),
        (b'{"model": "doubler", "values": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400),
        (b"\xff\xfe", 400),
        (b"[]", 422),
        (b"3", 422),
        (b'{"model": "doubler"}', 422),
        (b'{"model": "doubler", "values": [1, 2]}', 422),
        (b'{"model": "doubler", "values": [1, 2, 3, 4]}', 422),
        (b'{"model": "doubler", "values": [[1, 2, 3], [1, 2]]}', 422),
        (b'{"model": "doubler", "values": [1, 2, null]}', 422),
        (b'{"model": "doubler", "values": [1, 2, "3"]}', 422),
        (b'{"model": "doubler", "values": [1, 2, true]}', 422),
        (b'{"model": "doubler", "values": [1, 2, 1e39]}', 422),
        (b'{"model": "doubler", "values": {"x": 1}}', 422),
        (b'{"model": "doubler", "inputs": {"z": [1, 2, 3]}}', 422),
        (b'{"model": 3, "values": [1, 2, 3]}', 422),
        (b'{"model": "nobody", "values": [1, 2, 3]}', 404),
        (b'{"model": "../../etc/passwd", "values": [1, 2, 3]}', 404),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_bad_document_gets_its_status_and_a_sentence(
    server: RunningServer, doubler: str, body: bytes, status: int
) -> None:
    answer = server.http.post("/json", content=body, headers=JSON)
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == status
    assert answer.json()["error"]
    assert server.predict(model=doubler, values=[1, 2, 3]).json() == [2.0, 4.0, 6.0]


def test_a_media_type_that_the_codec_does_not_read_is_refused(
    server: RunningServer, doubler: str
) -> None:
    body = b'{"model": "doubler", "values": [1, 2, 3]}'
    for content_type, status in (
        ("application/xml", 415),
        ("text/plain", 415),
        ("application/json; charset=utf-8", 200),
        ("application/x-www-form-urlencoded", 200),
    ):
        answer = server.http.post("/json", content=body, headers={"Content-Type": content_type})
        assert answer.status_code == status, content_type


@pytest.mark.parametrize("path", ["/json", "/proto", "/image", "/msgpack"])
def test_a_body_is_refused_that_is_not_encoded_as_it_says(server: RunningServer, path: str) -> None:
    answer = server.http.post(path, content=b"{}", headers={"Content-Encoding": "br"})
    assert answer.status_code == 415, answer.text
    assert answer.json()["error"] == (
        "the Content-Encoding is 'br'; send gzip, deflate or zstd, or none"
    )
    answer = server.http.post(path, content=b"{}", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400, answer.text
    assert "the body is not gzip, as its Content-Encoding says" in answer.json()["error"]


def test_a_body_that_is_not_encoded_may_say_so(server: RunningServer, doubler: str) -> None:
    body = b'{"model": "doubler", "values": [1, 2, 3]}'
    answer = server.http.post("/json", content=body, headers={"Content-Encoding": "identity"})
    assert answer.json() == [2.0, 4.0, 6.0]


def test_an_upload_that_announces_too_much_is_refused_before_it_is_sent(
    server: RunningServer,
) -> None:
    with connect(server) as connection:
        connection.sendall(
            b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/gzip\r\n"
            b"Content-Length: 99999999999\r\n\r\n"
        )
        assert b" 413 " in connection.makefile("rb").readline()


def staged(server: RunningServer) -> list[str]:
    folder = server.log.parent / "models" / ".staging"
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize(
    "name",
    ["a/b", "..", ".", "a\0b", "a\nb", "a b", "x" * 300, "-a", ".a", "", "ü"],
    ids=lambda name: repr(name)[:20],
)
def test_a_bad_name_is_refused(
    server: RunningServer, scale_graph: Callable[[float], bytes], name: str
) -> None:
    before = server.names()
    answer = server.upload(name, scale_graph(1.0))
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == "name"
    assert server.names() == before
    assert staged(server) == []


def unknown_op(tf: Any) -> None:
    x = tf.compat.v1.placeholder(tf.float32, [None, 3], "x")
    tf.identity(x, "y")


BAD_UPLOADS: list[tuple[str, Callable[..., bytes], dict[str, bytes], int, str]] = [
    ("empty", lambda freeze: b"", {}, 400, "empty"),
    ("garbage", lambda freeze: b"\x00\x01garbage" * 99, {}, 400, "graph"),
    ("broken params", lambda freeze: freeze(unknown_op), {"params": b"{"}, 400, "params"),
    ("params no object", lambda freeze: freeze(unknown_op), {"params": b"[]"}, 422, "params"),
    (
        "params of another model",
        lambda freeze: freeze(unknown_op),
        {"params": b'{"name": "another"}'},
        422,
        "another",
    ),
    (
        "missing node",
        lambda freeze: freeze(unknown_op),
        {"params": b'{"inputNode": "nowhere"}'},
        422,
        "nowhere",
    ),
    (
        "unknown op",
        lambda freeze: freeze(unknown_op).replace(b"Identity", b"Idontity"),
        {},
        422,
        "Idontity",
    ),
    (
        "wrong features",
        lambda freeze: freeze(unknown_op),
        {"params": b'{"features": ["a", "b"]}'},
        422,
        "features",
    ),
]


@pytest.mark.parametrize(
    ("model", "parts", "status", "word"),
    [case[1:] for case in BAD_UPLOADS],
    ids=[case[0] for case in BAD_UPLOADS],
)
def test_a_bad_upload_is_refused_and_changes_nothing(
    server: RunningServer,
    doubler: str,
    frozen: Callable[..., bytes],
    model: Callable[..., bytes],
    parts: dict[str, bytes],
    status: int,
    word: str,
) -> None:
    before = server.http.get("/models").json()
    for name in ("bad", doubler):
        answer = server.upload(name, model(frozen), **parts)
        assert answer.status_code == status, answer.text
        assert word in answer.json()["error"]
    assert server.http.get("/models").json() == before
    assert staged(server) == []
    assert server.predict(model=doubler, values=[1, 2, 3]).json() == [2.0, 4.0, 6.0]


def test_a_form_without_its_parts_is_refused(server: RunningServer) -> None:
    assert server.http.post("/upload", files={"name": (None, "x")}).status_code == 400
    assert server.http.post("/upload", content=b"x").status_code == 400
    assert server.http.post("/upload", content=b"{}", headers=JSON).status_code == 415
    unknown = server.http.post("/upload", files={"name": (None, "x"), "what": ("y.txt", "y")})
    assert unknown.status_code == 400
    assert "what" in unknown.json()["error"]


def connect(server: RunningServer) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port), timeout=60)


def begun_upload(server: RunningServer, name: str, announced_bytes: int) -> socket.socket:
    """A connection over which an upload was begun, its name sent, and its model half."""
    head = (
        f"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: {announced_bytes}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        f'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n{name}\r\n'
        '--b\r\nContent-Disposition: form-data; name="model"; filename="m.pb"\r\n\r\nhalf'
    )
    connection = connect(server)
    connection.sendall(head.encode())
    return connection


def test_two_uploads_of_one_name_at_once_are_a_conflict(
    server: RunningServer, scale_graph: Callable[[float], bytes]
) -> None:
    with begun_upload(server, "twice", 100_000):
        # Claimed first: otherwise the second upload might win.
        until((server.log.parent / "models" / "twice").exists)
        assert server.upload("twice", scale_graph(1.0)).status_code == 409
        assert server.http.delete("/delete/twice").status_code == 409
        assert server.upload("once", scale_graph(1.0)).status_code == 200
    until(lambda: server.upload("twice", scale_graph(1.0)).status_code == 200)
    for name in ("twice", "once"):
        server.http.delete(f"/delete/{name}")


def test_an_upload_that_is_cut_off_leaves_nothing(server: RunningServer) -> None:
    with begun_upload(server, "cut", 100_000):
        until(lambda: staged(server) != [])
    until(lambda: staged(server) == [])
    assert "cut" not in server.names()


def test_a_client_that_goes_away_before_its_answer_disturbs_nobody(
    server: RunningServer, doubler: str
) -> None:
    body = json.dumps({"model": doubler, "values": [[1, 2, 3]] * 1000}).encode()
    for _ in range(20):
        with connect(server) as connection:
            connection.sendall(
                b"POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
    assert server.predict(model=doubler, values=[1, 2, 3]).json() == [2.0, 4.0, 6.0]


def test_a_client_that_goes_on_sending_still_gets_its_answer(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(
            b"POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 50_000
        )
        answer = connection.makefile("rb").readline()
        with suppress(ConnectionError):  # it is waited for a while
            connection.sendall(b"x" * 50_000)
        assert b" 413 " in answer


def test_rubbish_instead_of_http_is_refused(server: RunningServer) -> None:
    for rubbish in (b"\x16rubbish\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET\r\n\r\n"):
        with connect(server) as connection:
            connection.sendall(rubbish)
            assert connection.recv(1000).startswith(b"HTTP/1.1 400")


def test_no_log_line_of_the_session_reports_a_bug(server: RunningServer) -> None:
    assert "Traceback" not in server.log.read_text()
