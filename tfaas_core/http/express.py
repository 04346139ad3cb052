"""The express lane: plain requests, read and answered without Sanic's help.

A request is *plain* if it came whole in one piece, has nothing but a body of announced length, and
asks for a route that is marked ``express``. A client that predicts sends thousands that differ in
their bodies alone, so what a head says is worked out once and kept. Everything else is Sanic's.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

import msgspec
from sanic import HTTPResponse
from sanic.headers import format_http1_response
from sanic.helpers import has_message_body

from tfaas_core.route import Handler, Response, Route

_MOST_HEADS = 1024
_MOST_HEAD_BYTES = 1024

_REQUEST_LINE = re.compile(r"POST (/[!-~]*) HTTP/1\.1")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~]*)(?<![ \t])")
_LENGTH = re.compile(r"[0-9]{1,12}")
_LENGTH_MARK = "<length>"
_KEEP_ALIVE = {"keep-alive": True, "close": False}
_NOT_PLAIN = frozenset({"expect", "te", "trailer", "transfer-encoding", "upgrade"})


class Head(msgspec.Struct, frozen=True):
    """What the bytes before a body say.

    ``length``: of the body, in bytes. ``keep_alive``: whether another request may follow.
    """

    path: str
    handler: Handler
    headers: Mapping[str, str]
    length: int
    keep_alive: bool


class ExpressRequest(msgspec.Struct, frozen=True):
    """Implements ``tfaas_core.route.Request`` for a plain request."""

    head: Head
    body: bytes

    @property
    def method(self) -> str:
        return "POST"

    @property
    def headers(self) -> Mapping[str, str]:
        return self.head.headers

    @property
    def query(self) -> Mapping[str, str]:
        return {}

    @property
    def path_fields(self) -> Mapping[str, str]:
        return {}

    async def stream(self) -> AsyncIterator[bytes]:
        yield self.body


class ExpressLane:
    """Knows the routes that are marked ``express``, and tells which requests are plain."""

    def __init__(self, routes: Iterable[Route], base: str, max_body_bytes: int) -> None:
        self._handlers = {base + route.path: route.handler for route in routes if route.express}
        self._max_body_bytes = max_body_bytes
        self._heads: dict[bytes, Head] = {}

    def request(self, data: bytes) -> ExpressRequest | None:
        """The plain request that ``data`` is, from its first byte to its last; None: it is not."""
        end = data.find(b"\r\n\r\n", 0, _MOST_HEAD_BYTES)
        if end < 0:
            return None
        raw = data[:end]
        head = self._heads.get(raw) or self._learn(raw)
        if head is None or end + 4 + head.length != len(data):
            return None
        return ExpressRequest(head, data[end + 4 :])

    def _learn(self, raw: bytes) -> Head | None:
        head = self._read(raw)
        if head is not None:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[raw] = head
        return head

    def _read(self, raw: bytes) -> Head | None:
        first, *lines = raw.decode("latin-1").split("\r\n")
        asked = _REQUEST_LINE.fullmatch(first)
        handler = self._handlers.get(asked[1]) if asked else None
        headers = _headers(lines)
        if asked is None or handler is None or headers is None:
            return None
        length = headers.get("content-length", "")
        keep_alive = _KEEP_ALIVE.get(headers.get("connection", "keep-alive").lower())
        if (
            keep_alive is None
            or not _LENGTH.fullmatch(length)
            or int(length) > self._max_body_bytes
            or not _NOT_PLAIN.isdisjoint(headers)
        ):
            return None
        # All requests with this head share the headers.
        return Head(asked[1], handler, MappingProxyType(headers), int(length), keep_alive)


def _headers(lines: Iterable[str]) -> dict[str, str] | None:
    """By lower-case name; None: one is repeated, or is none that every server reads alike."""
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None or found[1].lower() in headers:
            return None
        headers[found[1].lower()] = found[2]
    return headers


def answer_bytes(response: Response, keep_alive: bool) -> bytes:
    """The response on the wire, the same bytes that Sanic would send.

    Raises all sorts of errors where a handler gave what cannot be sent.
    """
    if response.stream is not None:
        raise TypeError("the answer is a stream, but its route is express")
    if response.status != 200:
        return _unusual_answer_bytes(response, keep_alive)
    body, headers = response.body, response.headers
    before, behind = _usual_head(
        response.media_type, keep_alive, tuple(headers.items()) if headers else ()
    )
    return b"%b%d%b%b" % (before, len(body), behind, body)


@lru_cache(1024)
def _usual_head(
    media_type: str, keep_alive: bool, headers: tuple[tuple[str, str], ...]
) -> tuple[bytes, bytes]:
    """What stands before and behind the length of a body, with status 200."""
    answer = HTTPResponse(headers=dict(headers), content_type=media_type)
    answer.headers["content-length"] = _LENGTH_MARK
    answer.headers.update(_connection(keep_alive))
    head = format_http1_response(200, answer.processed_headers)
    before, name, behind = head.partition(b"\r\ncontent-length: ")
    return before + name, behind.removeprefix(_LENGTH_MARK.encode())


def _unusual_answer_bytes(response: Response, keep_alive: bool) -> bytes:
    status, body = response.status, response.body
    if status < 200:
        raise ValueError(f"{status} is not the status of an answer")
    answer = HTTPResponse(body, status, dict(response.headers), response.media_type)
    if has_message_body(status):  # type: ignore[no-untyped-call]
        answer.headers["content-length"] = str(len(body))
    else:
        body = b""
        answer.headers.pop("content-length", None)
        answer.headers.pop("transfer-encoding", None)
    answer.headers.update(_connection(keep_alive))
    return format_http1_response(status, answer.processed_headers) + body


def _connection(keep_alive: bool) -> dict[str, str]:
    return {"connection": "keep-alive" if keep_alive else "close"}
