"""Asking: one HTTP request, on a connection of its own or a lasting one, and what it came to."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any

import msgspec

ANSWER_TIMEOUT_S = 40.0
"""More than the deadline of a prediction, and than whatever the server waits for at an upload."""

_RESET = struct.pack("ii", 1, 0)
_BOUNDARY = "----chaos"


class Answer(msgspec.Struct, frozen=True):
    """``outcome``: the status, or ``reset``, ``refused`` or ``timeout``."""

    outcome: str
    begin_s: float
    end_s: float
    headers: Mapping[str, str] = {}
    body: bytes = b""

    def json(self) -> Any:
        """The body."""
        return msgspec.json.decode(self.body)


class Caller:
    """Asks a server, with a token. If it is not ``lasting``, each time on a new connection."""

    def __init__(self, port: int, token: str, lasting: bool = False) -> None:
        self.port = port
        self._headers = {"Authorization": f"Bearer {token}"}
        self._lasting = lasting
        self._connection: HTTPConnection | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        media_type: str = "application/json",
    ) -> Answer:
        """Never raises: whatever happens to the connection is the outcome."""
        begin_s = time.monotonic()
        connection = self._connection or HTTPConnection(
            "127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_S
        )
        headers = self._headers | ({"Content-Type": media_type} if body is not None else {})
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
            told = {name.lower(): value for name, value in response.getheaders()}
            outcome = str(response.status)
            if response.status == 503 and "retry-after" not in told:
                outcome = "503 without Retry-After"
        except ConnectionRefusedError:
            outcome, told, content = "refused", {}, b""
        except TimeoutError:
            outcome, told, content = "timeout", {}, b""
        except (OSError, HTTPException):
            outcome, told, content = "reset", {}, b""
        if self._lasting and outcome.isdigit():
            self._connection = connection
        else:
            self._connection = None
            connection.close()
        return Answer(outcome, begin_s, time.monotonic(), told, content)

    def predict(self, model: str, row: list[int], path: str = "/json") -> Answer:
        """A row by JSON."""
        document = {"values": row} | ({"model": model} if model else {})
        return self.ask("POST", path, msgspec.json.encode(document))

    def upload(self, name: str, artifact: bytes) -> Answer:
        """A form."""
        return self.ask("POST", "/upload", *upload_form(name, artifact))

    def close(self) -> None:
        """Of a lasting connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def cut_upload(self, name: str, artifact: bytes, share: float, reset: bool) -> None:
        """Sends a part of an upload, and ends the connection: by a reset, or in good order."""
        body, media_type = upload_form(name, artifact)
        head = [
            "POST /upload HTTP/1.1",
            "Host: chaos",
            f"Content-Type: {media_type}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in self._headers.items()),
        ]
        with socket.create_connection(("127.0.0.1", self.port), ANSWER_TIMEOUT_S) as sending:
            part = body[: max(1, min(int(len(body) * share), len(body) - 8))]
            sending.sendall("\r\n".join([*head, "", ""]).encode() + part)
            if reset:
                sending.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                sending.shutdown(socket.SHUT_WR)
                while sending.recv(1 << 16):
                    pass


def upload_form(name: str, artifact: bytes) -> tuple[bytes, str]:
    """The body of an upload, and its media type."""
    disposition = 'Content-Disposition: form-data; name="{}"'
    parts = [
        f"--{_BOUNDARY}\r\n{disposition.format('name')}\r\n\r\n{name}\r\n".encode(),
        f"--{_BOUNDARY}\r\n{disposition.format('model')}; filename=m.pb\r\n\r\n".encode(),
        artifact,
        f"\r\n--{_BOUNDARY}--\r\n".encode(),
    ]
    return b"".join(parts), f"multipart/form-data; boundary={_BOUNDARY}"
