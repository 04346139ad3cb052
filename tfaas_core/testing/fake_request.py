"""FakeRequest: what a handler gets, made by hand; and FakeLane, its way through a whole host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Self

import msgspec

from tfaas_core.fields import Headers
from tfaas_core.host import Host
from tfaas_core.http.request import HttpRequest, split_target
from tfaas_core.http.router import Router
from tfaas_core.route import ClientAddress, Head, Response
from tfaas_core.routing.way_back import is_told_later


class FakeRequest(HttpRequest):
    """A Request that no client sent: made by ``of``, it has all that one over HTTP has."""

    @classmethod
    def of(
        cls,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        path_fields: Mapping[str, str] = MappingProxyType({}),
        client: ClientAddress = ClientAddress("127.0.0.1", 40_000),  # noqa: B008 - never changes
    ) -> Self:
        """``target`` is a path and its query, percent-encoded: ``/models/vk?full=1``.

        ``path_fields`` are what a route of the path would find in it, for a handler that is called
        without a host.
        """
        path, query = split_target(target)
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        return cls(Head(method, path, query, Headers(pairs), path_fields), client, body)


class FakeLane:
    """The way of requests through a whole host, without HTTP.

    That is guards, codecs, observers and all, but no connection, and no limits of sizes and times.
    """

    def __init__(self, host: Host) -> None:
        base = host.config.server.base
        self._router = Router(host.routes(), base, host.observers, None, host.proxies, host.cors)

    async def answer(self, request: FakeRequest) -> Response:
        """What the host answers, errors included; a body that is streamed is gathered."""
        found = self._router.find(request.method, request.head.raw_path)
        head = msgspec.structs.replace(request.head, path_fields=found.path_fields)
        asked = msgspec.structs.replace(request, head=head)
        response = await found.passage(asked)
        if response.stream is None:
            if is_told_later(asked, response):
                found.passage.sent(asked, response, len(response.body))
            return response
        body = b"".join([piece async for piece in response.stream])
        found.passage.sent(asked, response, len(body))
        return msgspec.structs.replace(response, body=body, stream=None)
