"""Sending a request to a server that may do anything: it gets so much time, and so much memory."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ssl import SSLContext
from urllib.parse import quote, urlsplit

import msgspec

from tfaas_core.testing.conformance.exchange import MAX_BODY_BYTES, Ask, Reply, Unmet, unpacked
from tfaas_core.testing.conformance.words import cut

_CHUNK_BYTES = 1 << 16


class NoReply(Unmet):
    """There is no whole answer; the text says what there is instead."""


class Place(msgspec.Struct, frozen=True):
    """Where a server is: its URL, base path included, and how it is talked to.

    ``headers`` go with each request, and an answer has to be there within ``timeout_s``. ``tls``:
    what https is spoken with.
    """

    url: str
    headers: Mapping[str, str] = {}
    timeout_s: float = 30.0
    tls: SSLContext | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError(f"{self.url!r} is not like http://127.0.0.1:8083")
        parts.port  # noqa: B018 - it raises a ValueError, too


def send(ask: Ask, place: Place) -> Reply:
    """The answer to one request, on a connection of its own; raises NoReply, or Unmet."""
    base = quote(urlsplit(place.url).path.rstrip("/"), safe="/%")
    connection = _Connection(place)
    try:
        with closing(connection), connection.deadline():
            _request(connection, base + ask.path, ask, place)
            with connection.getresponse() as response:
                reply = _read(response)
                # What is cut may look like a whole one.
                if connection.is_late:
                    raise TimeoutError
                return reply
    except (OSError, HTTPException, ValueError, Unmet) as error:
        if connection.is_late or isinstance(error, TimeoutError):
            raise NoReply(f"no whole answer within {place.timeout_s:g} s") from None
        if isinstance(error, Unmet):
            raise
        raise NoReply(f"no answer: {_why(error)}") from None


def _request(connection: HTTPConnection, target: str, ask: Ask, place: Place) -> None:
    headers = {**place.headers, **ask.headers}
    try:
        if ask.is_chunked and ask.body is not None:
            pieces = (
                ask.body[at : at + _CHUNK_BYTES] for at in range(0, len(ask.body), _CHUNK_BYTES)
            )
            connection.request(ask.method, target, pieces, headers, encode_chunked=True)
        else:
            connection.request(ask.method, target, ask.body, headers)
    except (BrokenPipeError, ConnectionResetError):
        # A server that refuses a body takes no more of it. Its answer says why.
        return


def _read(response: HTTPResponse) -> Reply:
    body = response.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise NoReply(f"a body of more than {MAX_BODY_BYTES} bytes")
    if response.length:
        raise NoReply(f"a body that lacks {response.length} bytes of its Content-Length")
    headers = {name.lower(): value for name, value in response.getheaders()}
    content = unpacked(body, headers.get("content-encoding", "").strip().lower())
    return Reply(response.status, headers, content)


def _why(error: Exception) -> str:
    words = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    return cut(str(words or error) or type(error).__name__)


class _Connection(HTTPConnection):
    """One that is cut once its time has passed, however little at a time the server sends."""

    def __init__(self, place: Place) -> None:
        parts = urlsplit(place.url)
        assert parts.hostname is not None
        port = parts.port or (443 if parts.scheme == "https" else 80)
        super().__init__(parts.hostname, port, timeout=place.timeout_s)
        self._secure = place.tls
        self._limit_s = place.timeout_s
        self.is_late = False

    def connect(self) -> None:
        self.sock = socket.create_connection((self.host, self.port), self._limit_s)
        if self._secure is not None:
            self.sock = self._secure.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    @contextmanager
    def deadline(self) -> Iterator[None]:
        """Bounds what happens in the block."""
        timer = threading.Timer(self._limit_s, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        self.is_late = True
        if self.sock is not None:
            try:
                # The socket's own: that of ssl would wait for its lock.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
            except OSError:
                return
