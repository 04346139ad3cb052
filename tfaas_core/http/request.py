"""A request, as the handlers of routes see it; the same on both lanes."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from tfaas_core.fields import Fields, Headers
from tfaas_core.route import ClientAddress, Head
from tfaas_core.system.network.tls import subject_of
from tfaas_core.visit import Visit

_NO_QUERY = Fields()
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


class HttpRequest(msgspec.Struct):
    """Implements ``tfaas_core.routing.arriving.Arriving``; ``body`` is all there is."""

    head: Head
    client: ClientAddress
    body: bytes = b""
    is_arriving: bool = False
    visit: Visit | None = None
    begin_s: float = msgspec.field(default_factory=time.monotonic)

    @property
    def method(self) -> str:
        return self.head.method

    @property
    def path(self) -> str:
        return self.head.path

    @property
    def headers(self) -> Headers:
        return self.head.headers

    @property
    def query(self) -> Fields:
        return self.head.query

    @property
    def path_fields(self) -> Mapping[str, str]:
        return self.head.path_fields

    async def receive(self) -> None:
        """The body is there."""

    async def stream(self) -> AsyncIterator[bytes]:
        yield self.body


def split_target(target: str) -> tuple[str, Fields]:
    """The path of a request's target, as sent, and its query."""
    path, _, query = target.partition("#")[0].partition("?")
    authority = _AUTHORITY.match(path)
    path = path[authority.end() :] or "/" if authority else path
    return path, read_query(query)


def read_query(query: str) -> Fields:
    """The fields of a query, decoded; bytes that are no UTF-8 are U+FFFD."""
    return Fields(parse_qsl(query, keep_blank_values=True)) if query else _NO_QUERY


def client_of(transport: Any) -> ClientAddress:
    """The other end of a connection."""
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple):
        return ClientAddress()
    certificate = transport.get_extra_info("peercert")
    subject = subject_of(certificate) if certificate else ""
    return ClientAddress.of_peer(peer[0], peer[1], subject)
