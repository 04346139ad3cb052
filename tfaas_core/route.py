"""Route: a path, its methods and a handler that knows no web framework."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias

import msgspec


class Request(Protocol):
    """What a handler sees of an HTTP request."""

    @property
    def method(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name; of a repeated header, the first."""
        ...

    @property
    def query(self) -> Mapping[str, str]:
        """The query's fields; of a repeated one, the first."""
        ...

    @property
    def path_fields(self) -> Mapping[str, str]:
        """What the ``{...}`` parts of the route's path matched, percent-decoded."""
        ...

    @property
    def body(self) -> bytes:
        """The whole body, ``server.max_body_bytes`` at most. Empty for a route that streams."""
        ...

    def stream(self) -> AsyncIterator[bytes]:
        """The body as it arrives, of any size, for a route that streams.

        Raises BadBody where it stops before its announced end.
        """
        ...


class Response(msgspec.Struct, frozen=True):
    """What a handler answers: ``body``, or, where there is one, ``stream``, piece by piece."""

    body: bytes = b""
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = {}
    stream: AsyncIterator[bytes] | None = None


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Route(msgspec.Struct, frozen=True):
    """``path`` starts with ``/``; a part ``{name}`` matches anything without ``/``.

    ``streams``: the handler reads the body itself, from ``Request.stream``. ``express``: many small
    requests are expected, so that those that came whole may bypass Sanic; for a POST to a path
    without fields whose answers are never streamed.
    """

    path: str
    methods: tuple[str, ...]
    handler: Handler
    streams: bool = False
    express: bool = False


def json_response(document: Any, status: int = 200) -> Response:
    """``document`` as JSON."""
    return Response(msgspec.json.encode(document) + b"\n", status)
