"""The express lane: plain requests, read and answered without Sanic's help.

A request is *plain* if it came whole in one piece, has nothing but a body of announced length, and
asks for a route that is marked ``express``. A client that predicts sends thousands that differ in
their bodies alone, so what a head says is worked out once and kept. Everything else is Sanic's.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from http import HTTPStatus

import msgspec

from tfaas_core.route import Handler, Response, Route

_MOST_HEADS = 1024
_MOST_HEAD_BYTES = 1024

_REQUEST_LINE = re.compile(r"POST (/[!-~]*) HTTP/1\.1")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~]*)")
_LENGTH = re.compile(r"[0-9]{1,12}")
_NOT_PLAIN = frozenset({"expect", "te", "trailer", "transfer-encoding", "upgrade"})


class Head(msgspec.Struct, frozen=True):
    """What the bytes before a body say. ``length``: of the body, in bytes."""

    path: str
    handler: Handler
    headers: Mapping[str, str]
    length: int


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
        found = [_HEADER.fullmatch(line) for line in lines]
        if asked is None or handler is None or not all(found):
            return None
        headers: dict[str, str] = {}
        for name, value in (match.groups() for match in found if match):
            if name.lower() in headers:
                return None
            headers[name.lower()] = value.rstrip()
        length = headers.get("content-length", "")
        if (
            not _LENGTH.fullmatch(length)
            or int(length) > self._max_body_bytes
            or headers.get("connection", "keep-alive").lower() != "keep-alive"
            or not _NOT_PLAIN.isdisjoint(headers)
        ):
            return None
        return Head(asked[1], handler, headers, int(length))


def answer_bytes(response: Response, keep_alive: bool) -> bytes:
    """The response on the wire, with the headers that Sanic would send."""
    lines = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        *(f"{name.lower()}: {value}" for name, value in response.headers.items()),
        f"content-length: {len(response.body)}",
        f"connection: {'keep-alive' if keep_alive else 'close'}",
        f"content-type: {response.media_type}",
        "\r\n",
    ]
    return "\r\n".join(lines).encode("latin-1") + response.body
