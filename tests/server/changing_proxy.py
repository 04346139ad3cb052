"""A server that passes requests on to another one, and changes them, or the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

LENGTH = "inference-header-content-length"
_OF_THE_CONNECTION = ("content-length", "transfer-encoding", "connection", "keep-alive", "date")


class Sent(NamedTuple):
    """A request; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answered(NamedTuple):
    """An answer; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def head(self) -> bytes:
        """What is JSON of the body."""
        return self.body[: int(self.headers.get(LENGTH, len(self.body)))]

    def with_json(self, change: Callable[[Any], Any]) -> Answered:
        """The same with another document: what ``change`` returns, or changes in place."""
        document = json.loads(self.head)
        changed = change(document)
        head = json.dumps(document if changed is None else changed).encode()
        headers = dict(self.headers)
        if LENGTH in headers:
            headers[LENGTH] = str(len(head))
        return self._replace(body=head + self.body[len(self.head) :], headers=headers)

    def with_header(self, name: str, value: str) -> Answered:
        """The same with a header."""
        return self._replace(headers={**self.headers, name: value})


Ask = Callable[[Sent], Answered]
Change = Callable[[Sent, Ask], Answered]
"""Answers a request; it may ask the other server."""


class _Handler(BaseHTTPRequestHandler):
    """Answers by a ``change``, which a subclass has."""

    protocol_version = "HTTP/1.1"
    change: Change
    ask: Ask

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        told = type(self).change(self._sent(), type(self).ask)
        self.send_response_only(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(told.body)))
        self.end_headers()
        self.wfile.write(told.body)

    def _sent(self) -> Sent:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.pop("content-length", 0)))
        if headers.pop("transfer-encoding", None):
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            headers["was-chunked"] = "yes"
        return Sent(self.command, self.path, headers, body)


def _asking(url: str) -> Ask:
    """Asks the server at ``url``."""

    def ask(sent: Sent) -> Answered:
        parts = urlsplit(url)
        assert parts.hostname is not None
        connection = HTTPConnection(parts.hostname, parts.port, timeout=60)
        try:
            connection.request(sent.method, sent.path, sent.body, sent.headers)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            kept = {n: v for n, v in headers.items() if n not in _OF_THE_CONNECTION}
            return Answered(response.status, kept, response.read())
        finally:
            connection.close()

    return ask


@contextmanager
def changing(url: str, change: Change) -> Iterator[str]:
    """Serves what ``change`` makes of the server at ``url``; gives the URL."""
    methods = {"change": staticmethod(change), "ask": staticmethod(_asking(url))}
    handler = type("Handler", (_Handler,), methods)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
