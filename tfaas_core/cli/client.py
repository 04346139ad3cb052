"""Client: what the commands that talk to a running server have in common."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import click

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse
    from ssl import SSLContext

DEFAULT_URL = "http://127.0.0.1:8083"

_CONNECT_TIMEOUT_S = 10.0
_SILENCE_TIMEOUT_S = 600.0
"""More than a server takes to load the slowest model."""

_CA, _CERT = "tfaas.ca", "tfaas.cert"
"""Where a click context keeps them."""

_MAX_ERROR_BYTES = 64 * 1024

F = TypeVar("F", bound=Callable[..., Any])


class Body(NamedTuple):
    """The body of a request: whole, or in pieces, chunked unless their ``size_bytes`` are known.

    Pieces are made while they are sent. What goes wrong then is a ClickException.
    """

    media_type: str
    content: bytes | Iterable[bytes]
    size_bytes: int | None = None

    def headers(self) -> dict[str, str]:
        """What the request has to say about its body."""
        sized = {} if self.size_bytes is None else {"Content-Length": str(self.size_bytes)}
        return {"Content-Type": self.media_type} | sized


class Client:
    """Sends requests to one server, each over a connection of its own.

    ``url`` is the server's, its base path included; a ValueError says what is wrong with it.
    ``token`` is sent to its guards, if there is one. ``tls`` is what it speaks https with; None:
    what this machine trusts does.
    Whatever goes wrong later, a refusal included, is a ClickException of one sentence.
    """

    def __init__(self, url: str, token: str = "", tls: SSLContext | None = None) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not like {DEFAULT_URL}")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("give it a scheme, a host, a port and a path, and nothing else")
        self._is_tls = parts.scheme == "https"
        self._tls = tls
        self._host, self._port = parts.hostname, parts.port
        self._base = quote(parts.path, safe="/%")
        if not token.isprintable() or not token.isascii():
            raise ValueError("TFAAS_TOKEN is not one line of ASCII")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, method: str, path: str, body: Body | None = None) -> bytes:
        """The answer to one request."""
        with self.answering(method, path, body) as response:
            return response.read()

    def record(self, method: str, path: str, body: Body | None = None) -> dict[str, Any]:
        """The answer to one request, if that is a model's JSON record."""
        return self._records([self._json(self.ask(method, path, body))])[0]

    def records(self, path: str) -> list[dict[str, Any]]:
        """The answer to a GET, if that is a list of models' JSON records."""
        return self._records(self._json(self.ask("GET", path)))

    @contextmanager
    def answering(self, method: str, path: str, body: Body | None = None) -> Iterator[HTTPResponse]:
        """The answer to one request, for reading it in the block, which raises no other OSError."""
        from http.client import HTTPException, IncompleteRead

        try:
            with closing(self._connect()) as connection:
                self._send(connection, method, path, body)
                with connection.getresponse() as response:
                    if response.status != HTTPStatus.OK:
                        raise self._refusal(response)
                    yield response
        except (OSError, IncompleteRead) as error:
            raise click.ClickException(
                f"the connection to {self.url} broke: {reason(error)}"
            ) from None
        except HTTPException:
            raise self._not_understood() from None

    def _connect(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPException, HTTPSConnection

        assert self._host is not None
        place = self._host, self._port
        try:
            connection = (
                HTTPSConnection(*place, timeout=_CONNECT_TIMEOUT_S, context=self._tls)
                if self._is_tls
                else HTTPConnection(*place, timeout=_CONNECT_TIMEOUT_S)
            )
            connection.connect()
        except (OSError, ValueError, HTTPException) as error:  # all but the first: absurd names
            raise click.ClickException(f"{self.url} cannot be reached: {reason(error)}") from None
        connection.sock.settimeout(_SILENCE_TIMEOUT_S)
        return connection

    def _send(self, connection: HTTPConnection, method: str, path: str, body: Body | None) -> None:
        target = self._base + path
        if body is None:
            connection.request(method, target, headers=self._headers)
            return
        try:
            connection.request(method, target, body.content, self._headers | body.headers())
        except OSError:
            # A server that refuses a body takes no more of it. Its answer says why.
            return

    def _json(self, answer: bytes) -> Any:
        try:
            return json.loads(answer)
        except ValueError:
            raise self._not_understood() from None

    def _records(self, found: Any) -> list[dict[str, Any]]:
        if isinstance(found, list) and all(isinstance(r, dict) and "name" in r for r in found):
            return list(found)
        raise self._not_understood()

    def _refusal(self, response: HTTPResponse) -> click.ClickException:
        try:
            sentence = json.loads(response.read(_MAX_ERROR_BYTES))["error"]
        except (ValueError, TypeError, LookupError):
            sentence = None
        if isinstance(sentence, str):
            if response.status == HTTPStatus.UNAUTHORIZED:
                sentence += "; these commands send the token that TFAAS_TOKEN holds"
            return click.ClickException(sentence)
        return self._not_understood(f": {response.status} {response.reason}")

    def _not_understood(self, detail: str = "") -> click.ClickException:
        return click.ClickException(f"{self.url} does not answer as a TFaaS server does{detail}")


def reason(error: Exception) -> str:
    """Why something failed, without Python's numbers."""
    if isinstance(error, TimeoutError):
        return "timed out"
    words = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    return str(words or error)


def path_of(*parts: str) -> str:
    """The absolute path of these parts, each quoted."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _client(context: click.Context, _option: click.Parameter, url: str) -> Client:
    return client_at(context, url)


def client_at(context: click.Context, url: str) -> Client:
    """One for ``url``, of a command with ``tls_options``; raises BadParameter."""
    try:
        return Client(url, token_of_environment(), tls_of(context))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def token_of_environment() -> str:
    """What the environment has for guards; "" if it has nothing."""
    return os.environ.get("TFAAS_TOKEN", "")


def tls_of(context: click.Context) -> SSLContext | None:
    """What a command with ``tls_options`` speaks https with, if they say so.

    Raises BadParameter, which names the file.
    """
    return _tls(*pem_files(context))


def pem_files(context: click.Context) -> tuple[str | None, str | None]:
    """What a command with ``tls_options`` was given as ``--ca``, and as ``--cert``."""
    return context.meta.get(_CA), context.meta.get(_CERT)


def _tls(ca: str | None, cert: str | None) -> SSLContext | None:
    if not ca and not cert:
        return None
    import ssl

    path = ca
    try:
        context = ssl.create_default_context(cafile=ca or None)
        if path := cert:
            context.load_cert_chain(path)
    except OSError as error:  # an SSLError is one
        why = "it is no PEM of that" if isinstance(error, ssl.SSLError) else error.strerror
        option = "--cert" if path == cert else "--ca"
        raise click.BadParameter(f"{path} cannot be used: {why}", param_hint=option) from None
    return context


def _kept(name: str) -> Callable[..., None]:
    def keep(context: click.Context, _option: click.Parameter, path: str | None) -> None:
        context.meta[name] = path

    return keep


def url_option(command: F) -> F:
    """Gives a command ``--url``, as the argument ``client``, and how that speaks https."""
    url = click.option(
        "--url",
        "client",
        metavar="URL",
        envvar="TFAAS_URL",
        show_envvar=True,
        default=DEFAULT_URL,
        show_default=True,
        callback=_client,
        help="The server.",
    )
    return url(tls_options(command))


def tls_options(command: F) -> F:
    """Gives a command ``--ca`` and ``--cert``, for ``tls_of``."""
    ca = click.option(
        "--ca",
        metavar="FILE",
        envvar="TFAAS_CA",
        show_envvar=True,
        callback=_kept(_CA),
        # First, for what --url becomes.
        is_eager=True,
        expose_value=False,
        help="The certificates, in PEM, that an https server's must be signed with.",
    )
    cert = click.option(
        "--cert",
        metavar="FILE",
        envvar="TFAAS_CERT",
        show_envvar=True,
        callback=_kept(_CERT),
        is_eager=True,
        expose_value=False,
        help="A certificate with its key, in PEM, for an https server that asks for one.",
    )
    return ca(cert(command))
