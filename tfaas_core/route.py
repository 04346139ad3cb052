"""Route: a path, its methods and a handler that knows no web framework."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, Protocol, Self, TypeAlias
from urllib.parse import unquote

import msgspec

from tfaas_core.fields import Fields, Headers
from tfaas_core.operation import Operation
from tfaas_core.request_ids import REQUEST_ID_HEADER, fresh_id, sane_id
from tfaas_core.visit import Visit

_MAPPED = "::ffff:"
"""What an IPv4 address begins with on a socket of IPv6."""


class Head(msgspec.Struct, frozen=True, dict=True):
    """What a request says before its body. Requests that say the same may share one.

    A codec may read all of it. The path is as the client sent it, ``server.base`` included.
    """

    method: str = "POST"
    """As sent: for a route of GET it may be HEAD."""

    raw_path: str = "/"
    """As sent, percent-encoded, without the query."""

    query: Fields = Fields()
    """The query's fields, decoded; of a repeated one, a plain look-up gives the first."""

    headers: Headers = Headers()
    """The headers; of a repeated one, a plain look-up gives the first."""

    path_fields: Mapping[str, str] = MappingProxyType({})
    """What the ``{...}`` parts of the route's path matched, decoded."""

    scheme: str = "http"
    """Of this server, whatever a proxy in front of it speaks."""

    content_type: str = ""
    """The header ``Content-Type`` as sent, parameters included; empty if there is none."""

    content_encoding: str = ""
    """The header ``Content-Encoding`` as sent, empty if there is none; commas part several."""

    request_id: str | None = None
    """The header ``X-Request-Id``; None if there is none, and empty if it cannot be taken."""

    is_cross_site: bool = False
    """Whether a browser says, by ``Sec-Fetch-Site``, that a page of another site asks."""

    def __post_init__(self) -> None:
        content_type = self.headers.get("content-type", "")
        msgspec.structs.force_setattr(self, "content_type", content_type)
        encoding = self.headers.get("content-encoding", "")
        if encoding:  # A plain look-up gives the first of several.
            encoding = ", ".join(self.headers.all("content-encoding"))
        msgspec.structs.force_setattr(self, "content_encoding", encoding)
        if self.headers.get("sec-fetch-site") == "cross-site":
            msgspec.structs.force_setattr(self, "is_cross_site", True)
        sent = self.headers.get(REQUEST_ID_HEADER)
        if sent is not None:
            msgspec.structs.force_setattr(self, "request_id", sane_id(sent))

    @property
    def path(self) -> str:
        """``raw_path`` decoded; bytes that are no UTF-8 are U+FFFD."""
        return unquote(self.raw_path)

    @cached_property
    def notes(self) -> dict[Any, Any]:
        """What handlers have worked out of the head, for ``tfaas_core.notes.noted``."""
        return {}

    @classmethod
    def of_type(cls, content_type: str) -> Head:
        """That of a request that says nothing but its media type."""
        return cls(headers=Headers([("content-type", content_type)]))


class ClientAddress(msgspec.Struct, frozen=True):
    """Who sent a request: the other end of the connection, which may be a proxy's.

    ``ip`` and ``port`` are empty and 0 for a Unix socket. ``subject`` is that of the certificate
    which the other end has shown, if ``server.tls_client_ca`` asks for one, as RFC 4514 writes it:
    ``CN=alice,O=Lab``. ``proxy`` is the address of the other end if ``server.proxies`` names it;
    then ``ip`` is the client's, as that proxy says, and its headers may be trusted; else empty.
    """

    ip: str = ""
    port: int = 0
    subject: str = ""
    proxy: str = ""

    @classmethod
    def of_peer(cls, ip: str, port: int, subject: str = "") -> Self:
        """Of the other end as the system writes it: IPv4 on a socket of IPv6 is plain IPv4 here."""
        mapped = ip.removeprefix(_MAPPED)
        return cls(mapped if "." in mapped else ip, port, subject)

    @property
    def is_local_socket(self) -> bool:
        """Whether the connection came over a Unix socket."""
        return not self.ip


class Request(Protocol):
    """What a handler sees of an HTTP request."""

    visit: Visit | None
    """What observers are told, and guards asked; None if there are none, and nobody has asked for
    the request's id."""

    @property
    def head(self) -> Head:
        """All that came before the body."""
        ...

    @property
    def client(self) -> ClientAddress:
        """The peer of the connection, or the client of a proxy that ``server.proxies`` names.

        From anybody else, ``X-Forwarded-For`` and the like are headers as others.
        """
        ...

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def headers(self) -> Headers: ...

    @property
    def query(self) -> Fields: ...

    @property
    def path_fields(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> bytes:
        """The whole body, ``server.max_body_bytes`` at most. Empty for a route that streams."""
        ...

    def stream(self) -> AsyncIterator[bytes]:
        """The body as it arrives, of any size, for a route that streams.

        Raises BadBody if it stops before its announced end.
        """
        ...


class Response(msgspec.Struct, frozen=True):
    """What a handler answers: ``body``, or, if there is one, ``stream``, piece by piece.

    It is checked before it is sent; what is wrong with it is in the log, and the client gets a 500
    that names the plugin.
    """

    body: bytes = b""

    status: int = 200
    """From 200 to 599. With 204 and 304, ``body`` is not sent."""

    media_type: str = "application/json"
    """With its parameters, if it has any: one line of visible ASCII, not empty."""

    headers: Mapping[str, str] = {}
    """Each one line of ASCII. The server alone sets the length, the type, and what the connection
    is about: ``Content-Length``, ``Content-Type``, ``Connection``, ``Transfer-Encoding`` and the
    like (``tfaas_core.routing.sendable.SERVERS_OWN``). With ``stream``, ``Content-Length`` may say
    how long all pieces are together."""

    stream: AsyncIterator[bytes] | None = None
    """Asked for its next piece in the event loop, when the client has taken the one before, and
    closed by ``aclose``, if it has that, when it ends or the client is gone. What it raises before
    its first piece is answered as if the handler had raised it. Later, the connection is cut, so
    that no client takes what it has for the whole, and the log tells why."""


Right: TypeAlias = Literal["read", "predict", "upload", "delete", "admin"]
"""What guards tell apart: to see models, to ask them, to store or switch them, to delete them, and
all else."""

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
"""Called in the event loop of an HTTP worker, once for each request, many at a time. Until it
awaits something, all other requests of the worker wait, so it must not block: what computes for
long, or waits for a disk or the network, goes to ``asyncio.to_thread``. Where its request is given
up, because its client is gone, say, it is cancelled. It raises a TfaasError to answer that;
whatever else it raises, ``SystemExit`` included, is a 500."""


TakeAnswer: TypeAlias = Callable[[Response | BaseException], None]
"""Takes an answer, or why there is none, once. Called in the event loop."""


class Begun(Protocol):
    """A request that is being answered."""

    def cancel(self) -> bool:
        """Gives it up; whether it was not answered yet. Then nobody is told of an answer."""
        ...


class ShortWay(Protocol):
    """Answers the requests of a route that are as nearly all are, without a coroutine.

    Whatever is anything else, it leaves to the route's handler, which answers all alike.
    """

    def takes(self, head: Head) -> bool:
        """Whether requests that begin so may be such ones."""
        ...

    def begin(self, request: Request, visit: Visit | None, reply: TakeAnswer) -> Begun | None:
        """Begins to answer one that is whole; None: it is for the handler.

        ``visit`` gets what becomes known on the way, and what the handler has to await first, if
        a guard has to wait. ``reply`` is called later, unless the request is given up. Raises
        TfaasError if that is the answer.
        """
        ...


class Route(msgspec.Struct, frozen=True):
    """``path`` is a pattern: see ``tfaas_core.routing.pattern``.

    ``streams``: the handler reads the body itself, from ``Request.stream``. ``express``: many small
    requests are expected, so that those that came whole may bypass Sanic; for a POST. ``right``:
    what it takes to be answered, for guards; None: ``read`` for GET, ``admin`` for all else. If
    management has a port of its own, all but ``predict`` is there. ``public``: no guard is asked,
    and it is on both ports; for what everybody may know, such as health. ``operation``: what the
    OpenAPI document says of it. ``short`` is the server's own: what comes express may take that
    way, if no guard has to wait, and no proxy has to be looked behind.
    """

    path: str
    methods: tuple[str, ...]
    handler: Handler
    streams: bool = False
    express: bool = False
    right: Right | None = None
    public: bool = False
    operation: Operation = Operation()
    short: ShortWay | None = None


def request_id_of(request: Request) -> str:
    """What ``X-Request-Id`` of the answer will name ``request`` by, for logs.

    As the client has sent it, or else made up, at the first call.
    """
    visit = request.visit
    if visit is None:
        visit = request.visit = Visit()
    if not visit.request_id:
        visit.request_id = request.head.request_id or fresh_id()
    return visit.request_id


async def admit(request: Request, model: str) -> None:
    """Asks guards whether ``request`` may go to a model that no field ``{name}`` of its path names.

    Raises Forbidden, or what else they raise.
    """
    if request.visit is not None:
        await request.visit.to_model(model)


async def visible_models(request: Request, models: Iterable[str]) -> set[str]:
    """Those of ``models`` that the guards let ``request`` see, for a route that lists several.

    Raises what they raise but Forbidden.
    """
    visit = request.visit
    if visit is None or visit.gate is None:
        return set(models)
    return {name for name in models if await visit.may_see(name)}


def json_response(document: Any, status: int = 200) -> Response:
    """``document`` as JSON."""
    return Response(msgspec.json.encode(document) + b"\n", status)
