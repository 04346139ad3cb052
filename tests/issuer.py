"""An issuer of tokens for tests: its discovery document and its keys, over HTTP.

``python -m tests.issuer`` runs one, and prints a token.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, serialize_compact

AUDIENCE = "https://tfaas.example"
LIFETIME_S = 86_400
"""Longer than all tests take."""

SigningKey = RSAKey | ECKey | OKPKey
Answer = Callable[[BaseHTTPRequestHandler], None]


@cache
def _rsa(_name: str) -> RSAKey:
    """One for each name; it takes a tenth of a second to make."""
    return RSAKey.generate_key(2048)


def claims_of(issuer: str, **more: Any) -> dict[str, Any]:
    """What a token says that is good for ``LIFETIME_S``; ``more``: None takes a claim away."""
    now_s = int(time.time())
    claims = {
        "iss": issuer,
        "sub": "alice",
        "aud": AUDIENCE,
        "exp": now_s + LIFETIME_S,
        "iat": now_s,
    }
    return {name: value for name, value in (claims | more).items() if value is not None}


def signed(
    claims: Mapping[str, Any] | bytes, key: SigningKey, alg: str = "RS256", **header: Any
) -> str:
    """A token; ``header``: what it has beside ``alg``."""
    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return serialize_compact({"alg": alg, **header}, payload, key, registry=registry)


class Signer:
    """Whoever signs tokens, and says that he is ``url``."""

    def __init__(self, url: str = "https://lab.example", key: SigningKey | None = None) -> None:
        self.url = url
        self._first = key

    @cached_property
    def keys(self) -> dict[str, SigningKey]:
        """Those that he signs with, by their names."""
        return {"first": self._first or _rsa("first")}

    @property
    def jwks(self) -> dict[str, Any]:
        """All that he shows of his keys."""
        keys = self.keys.items()
        return {"keys": [{**key.as_dict(private=False), "kid": kid} for kid, key in keys]}

    def rotate(self, kid: str = "second") -> None:
        """Shows another key instead of those before."""
        self.keys = {kid: _rsa("second")}

    def token(self, alg: str = "RS256", **claims: Any) -> str:
        """Signed by the key of now."""
        ((kid, key),) = self.keys.items()
        return signed(claims_of(self.url, **claims), key, alg, kid=kid)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """Clients may go away."""


class Issuer(Signer):
    """Serves while its ``with`` block runs. ``answers``: what is answered instead, by path."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                issuer.answers.get(self.path, issuer.answer)(self)

            def log_message(self, *_arguments: object) -> None:
                """Says nothing."""

        self._server = _Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        super().__init__(f"http{'' if tls is None else 's'}://127.0.0.1:{self.port}")
        self.asked: list[str] = []
        self.answers: dict[str, Answer] = {}
        self.released = threading.Event()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """As issuers do."""
        discovery = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}
        documents = {"/.well-known/openid-configuration": discovery, "/jwks": self.jwks}
        reply(request, json.dumps(documents.get(request.path, {})).encode())

    def hang(self, request: BaseHTTPRequestHandler) -> None:
        """Says nothing until ``released``."""
        self.released.wait(30)

    def fetches(self) -> int:
        """How often its keys were asked for."""
        return self.asked.count("/jwks")

    def __enter__(self) -> Issuer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


def reply(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Answers a request; ``_`` in names of headers are hyphens."""
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


if __name__ == "__main__":
    with Issuer(18_999) as main_issuer:
        print(main_issuer.token(groups=["/cms"], scope="tfaas.read"), flush=True)
        threading.Event().wait()
