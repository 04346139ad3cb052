"""Where an issuer's keys come from: its discovery document, a URL, or a file."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx

from tfaas_core.configured_path import configured_path
from tfaas_core.errors import ConfigError
from tfaas_plugins.oidc_guard.jwt import strict_object
from tfaas_plugins.oidc_guard.keys import Keys
from tfaas_plugins.oidc_guard.table import OidcIssuer

MAX_DOCUMENT_BYTES = 524_288
DISCOVERY = "/.well-known/openid-configuration"

Source: TypeAlias = Callable[[], Awaitable[Keys]]
"""Gives the keys of now. Raises NoKeysError."""

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "tfaas"}


class NoKeysError(Exception):
    """The keys cannot be had; the message says why, and from where."""


class WebKeys:
    """Fetches keys: those at ``jwks``, or else where the discovery document of ``url`` says."""

    def __init__(
        self, url: str, jwks: str, tls: ssl.SSLContext, allow_http: bool, timeout_s: float
    ) -> None:
        self._url, self._jwks = url, jwks
        self._tls, self._allow_http, self._timeout_s = tls, allow_http, timeout_s

    async def __call__(self) -> Keys:
        """Raises NoKeysError."""
        at = self._jwks or self._url.rstrip("/") + DISCOVERY
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                httpx.AsyncClient(
                    verify=self._tls, timeout=self._timeout_s, headers=_HEADERS
                ) as client,
            ):
                if not self._jwks:
                    at = self._found(await _document(client, at), at)
                document = await _document(client, at)
            # Some keys take long to import.
            return await asyncio.to_thread(Keys.read, document)
        except TimeoutError:
            raise NoKeysError(f"{at} has not answered within {self._timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise NoKeysError(f"{at} cannot be asked: {error or type(error).__name__}") from None
        except (ValueError, RecursionError) as error:
            raise NoKeysError(f"{at} is of no use: {_fault(error)}") from None

    def _found(self, document: dict[str, Any], at: str) -> str:
        """Where the keys are. Raises ValueError."""
        if document.get("issuer") != self._url:
            said = str(document.get("issuer"))[:200]
            raise ValueError(f"it is of the issuer {said!r}, not {self._url!r}")
        jwks = document.get("jwks_uri")
        if not isinstance(jwks, str):
            raise ValueError("it has no jwks_uri")
        if why := why_not(jwks, self._allow_http):
            raise ValueError(f"its jwks_uri {why}")
        return jwks


class FileKeys:
    """Reads keys from a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __call__(self) -> Keys:
        """Raises NoKeysError."""
        return await asyncio.to_thread(self.read)

    def read(self) -> Keys:
        """At once. Raises NoKeysError."""
        try:
            with self._path.open("rb") as file:
                text = file.read(MAX_DOCUMENT_BYTES + 1)
            if len(text) > MAX_DOCUMENT_BYTES:
                raise ValueError(f"it is longer than {MAX_DOCUMENT_BYTES} bytes")
            return Keys.read(strict_object(text))
        except OSError as error:
            raise NoKeysError(f"{self._path} cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError) as error:
            raise NoKeysError(f"{self._path} is of no use: {_fault(error)}") from None


def source_of(issuer: OidcIssuer, base_dir: Path, timeout_s: float, key: str) -> WebKeys | FileKeys:
    """``key`` is that of the issuer's table. Raises ConfigError, for files that are wrong, too."""
    is_url = "://" in issuer.jwks
    if not issuer.jwks and (why := why_not(issuer.url, issuer.allow_http)):
        raise ConfigError(f"`{issuer.url}` {why} - at `{key}.url`")
    if issuer.jwks and not is_url:
        source = FileKeys(configured_path(issuer.jwks, base_dir, f"{key}.jwks"))
        try:
            source.read()
        except NoKeysError as error:
            raise ConfigError(f"{error} - at `{key}.jwks`") from None
        return source
    if is_url and (why := why_not(issuer.jwks, issuer.allow_http)):
        raise ConfigError(f"`{issuer.jwks}` {why} - at `{key}.jwks`")
    tls = _tls(issuer, base_dir, f"{key}.ca")
    return WebKeys(issuer.url, issuer.jwks, tls, issuer.allow_http, timeout_s)


def why_not(url: str, allow_http: bool) -> str:
    """Why a URL is not to be asked, as the end of a sentence; empty: it may be."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "cannot be read"
    if parts.scheme not in ("https", "http"):
        return "does not begin with https://"
    if not host or parts.username is not None or parts.fragment:
        return "is not like https://HOST/PATH"
    if parts.scheme == "https":
        return ""
    if not allow_http:
        return "does not begin with https://; `allow_http` lets this machine's own do without"
    return "" if _is_this_machine(host) else "is of another machine, and must begin with https://"


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _fault(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _tls(issuer: OidcIssuer, base_dir: Path, key: str) -> ssl.SSLContext:
    if not issuer.ca:
        return ssl.create_default_context()
    path = configured_path(issuer.ca, base_dir, key)
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if path.is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError) as error:
        why = "it has no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"{path} cannot be used: {why} - at `{key}`") from None
    return context


async def _document(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """Raises ValueError, RecursionError, and httpx's errors."""
    text = bytearray()
    async with client.stream("GET", url) as answer:
        if answer.status_code != 200:
            hint = "; redirects are not followed" if answer.is_redirect else ""
            raise ValueError(f"the answer has the status {answer.status_code}{hint}")
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise ValueError("the answer is compressed, though nobody asked for that")
        async for piece in answer.aiter_raw():
            text += piece
            if len(text) > MAX_DOCUMENT_BYTES:
                raise ValueError(f"the answer is longer than {MAX_DOCUMENT_BYTES} bytes")
    return await asyncio.to_thread(strict_object, bytes(text))
