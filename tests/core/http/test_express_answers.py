"""Answers of the express lane. That they are Sanic's to the byte is tested with a server."""

from __future__ import annotations

from tfaas_core.http.express_answers import answer_bytes
from tfaas_core.route import Response


def test_an_answer_has_its_length_and_its_own_headers() -> None:
    own = Response(b"[1.0]", headers={"TFaaS-Model": "vk/3"})
    for _ in range(2):
        assert answer_bytes(own, keep_alive=True) == (
            b"HTTP/1.1 200 OK\r\nTFaaS-Model: vk/3\r\ncontent-length: 5\r\n"
            b"connection: keep-alive\r\ncontent-type: application/json\r\n\r\n[1.0]"
        )
    odd = Response(b"1", media_type="a/b", headers={"TFaaS-Model": "vk/3", "X-Request-Id": "a-1"})
    for _ in range(2):
        assert answer_bytes(odd, keep_alive=False) == (
            b"HTTP/1.1 200 OK\r\nTFaaS-Model: vk/3\r\ncontent-length: 1\r\nX-Request-Id: a-1\r\n"
            b"connection: close\r\ncontent-type: a/b\r\n\r\n1"
        )


def test_answers_of_any_number_of_models_have_each_their_own_header() -> None:
    for _ in range(2):
        for number in range(3000):
            answer = answer_bytes(Response(headers={"TFaaS-Model": f"vk/{number}"}), True)
            assert b"\r\nTFaaS-Model: vk/%d\r\n" % number in answer


def test_a_header_that_looks_like_a_length_is_none() -> None:
    headers = {"X-Length": "<length>"}
    answer = answer_bytes(Response(b"abc", headers=headers), keep_alive=True)
    lines = answer.lower().split(b"\r\n")
    assert [line for line in lines if line.startswith((b"content-length", b"connection"))] == [
        b"content-length: 3",
        b"connection: keep-alive",
    ]
    assert b"x-length: <length>" in lines
