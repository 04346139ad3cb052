"""Which requests are plain, and take the express lane."""

from __future__ import annotations

import pytest

from tfaas_core.http.express import ExpressLane
from tfaas_core.http.request import HttpRequest
from tfaas_core.http.router import Router
from tfaas_core.route import ClientAddress, Request, Response, Route
from tfaas_core.routing.seam import sealed

MAX_BODY_BYTES = 1000


CLIENT = ClientAddress("192.0.2.1", 1234)


async def handler(_request: Request) -> Response:
    return Response()


JSON = sealed(Route("/json", ("POST",), handler, express=True))
NAMED = sealed(Route("/models/{name}/json", ("POST",), handler, express=True))
SLOW = sealed(Route("/models", ("POST",), handler))


def lane(base: str = "") -> ExpressLane:
    return ExpressLane(Router([JSON, NAMED, SLOW], base), MAX_BODY_BYTES)


def plain(own: ExpressLane, data: bytes) -> HttpRequest | None:
    return own.request(data, CLIENT)


def request(*headers: str, line: str = "POST /json HTTP/1.1", body: bytes = b"12345") -> bytes:
    lines = [line, "Host: x", *(headers or ("Content-Length: 5",))]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + body


LENGTH = "Content-Length: 5"

PLAIN = {
    "a length": request(),
    "a length in lower case": request("content-length:5"),
    "no body": request("Content-Length: 0", body=b""),
    "what clients send": request("User-Agent: x/1 (y; z)", "Accept: */*", "X-Empty:", LENGTH),
    "keep-alive": request(LENGTH, "Connection: Keep-Alive"),
    "close": request(LENGTH, "Connection: Close"),
    "a body that looks like a request": request("Content-Length: 56", body=request()),
    "a trailing slash": request(line="POST /json/ HTTP/1.1"),
    "a query": request(line="POST /json?model=x HTTP/1.1"),
    "a field": request(line="POST /models/x/json HTTP/1.1"),
    "a field that is encoded": request(line="POST /models/a%2Fb/json HTTP/1.1"),
    "the largest body": request(f"Content-Length: {MAX_BODY_BYTES}", body=b"x" * MAX_BODY_BYTES),
}

NOT_PLAIN = {
    "nothing": b"",
    "half a head": request()[:20],
    "half a body": request()[:-1],
    "two requests": request() * 2,
    "a byte of the next": request() + b"P",
    "an empty line before": b"\r\n" + request(),
    "another method": request(line="GET /json HTTP/1.1"),
    "a method in lower case": request(line="post /json HTTP/1.1"),
    "another path": request(line="POST /nowhere HTTP/1.1"),
    "a route that is not express": request(line="POST /models HTTP/1.1"),
    "a fragment": request(line="POST /json#x HTTP/1.1"),
    "a field that is no UTF-8": request(line="POST /models/%FF/json HTTP/1.1"),
    "an absolute target": request(line="POST http://localhost/json HTTP/1.1"),
    "an escaped path": request(line="POST /%6ason HTTP/1.1"),
    "two spaces": request(line="POST  /json HTTP/1.1"),
    "HTTP/1.0": request(line="POST /json HTTP/1.0"),
    "HTTP/2": request(line="POST /json HTTP/2"),
    "no length": request("X: x", body=b""),
    "no host": request().replace(b"Host: x\r\n", b""),
    "a host that is none": request().replace(b"Host: x", b"Host: x/y"),
    "a character that has to be escaped": request(line='POST /json?"x" HTTP/1.1'),
    "two lengths": request(LENGTH, LENGTH),
    "a list of lengths": request("Content-Length: 5, 5"),
    "a signed length": request("Content-Length: +5"),
    "a length in hex": request("Content-Length: 0x5"),
    "an empty length": request("Content-Length:"),
    "digits that are not ASCII": request("Content-Length: \xb2"),
    "a length beyond all": request("Content-Length: " + "9" * 30),
    "a body over the limit": request(
        f"Content-Length: {MAX_BODY_BYTES + 1}", body=b"x" * (MAX_BODY_BYTES + 1)
    ),
    "chunked": request("Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "chunked and a length": request(LENGTH, "Transfer-Encoding: chunked"),
    "100-continue": request(LENGTH, "Expect: 100-continue"),
    "an upgrade": request(LENGTH, "Upgrade: websocket", "Connection: upgrade"),
    "more than close": request(LENGTH, "Connection: close, TE"),
    "trailers": request(LENGTH, "Trailer: X"),
    "a repeated header": request(LENGTH, "X: 1", "x: 2"),
    "a folded header": request(LENGTH, "X: 1", " 2"),
    "a header without a colon": request(LENGTH, "X"),
    "a header without a name": request(LENGTH, ": 1"),
    "a space before the colon": request(LENGTH, "Transfer-Encoding : chunked"),
    "a space behind the value": request(LENGTH, "Connection: keep-alive "),
    "a header that is not ASCII": request(LENGTH, "X: \xe9"),
    "a NUL": request(LENGTH, "X: a\0b"),
    "a bare LF": request(LENGTH, "X: 1\nTransfer-Encoding: chunked"),
    "a bare CR": request(LENGTH, "X: 1\rTransfer-Encoding: chunked"),
    "LF alone": request().replace(b"\r\n", b"\n"),
    "a long head": request(LENGTH, "X: " + "x" * 2000),
}


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN)
def test_a_plain_request_is_seen(data: bytes) -> None:
    # Twice, for the second time its head is known.
    own = lane()
    for _ in range(2):
        found = plain(own, data)
        assert found is not None
        assert found.body == data.partition(b"\r\n\r\n")[2]
        assert found.headers["content-length"] == str(len(found.body))


@pytest.mark.parametrize("data", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_any_other_request_is_left_to_sanic(data: bytes) -> None:
    own = lane()
    for _ in range(2):
        assert plain(own, data) is None


def test_a_known_head_says_nothing_about_the_body_behind_it() -> None:
    own = lane()
    assert plain(own, request()) is not None
    assert plain(own, request()[:-1]) is None
    assert plain(own, request() + b"6") is None
    again = plain(own, request(body=b"54321"))
    assert again is not None
    assert again.body == b"54321"


def test_the_headers_are_by_lower_case_name_and_cannot_be_changed() -> None:
    found = plain(lane(), request("Content-Length: 5", "X-Name: \t A value"))
    assert found is not None
    assert dict(found.headers) == {"host": "x", "content-length": "5", "x-name": "A value"}
    with pytest.raises(TypeError):
        found.headers["x-name"] = "another"  # type: ignore[index]


def test_express_paths_live_under_the_base() -> None:
    based = lane("/tfaas")
    assert plain(based, request()) is None
    assert plain(based, request(line="POST /tfaas/json HTTP/1.1")) is not None


def test_any_number_of_different_heads_is_seen() -> None:
    own = lane()
    for number in range(3000):
        found = plain(own, request(LENGTH, f"X-Number: {number}"))
        assert found is not None
        assert found.headers["x-number"] == str(number)
