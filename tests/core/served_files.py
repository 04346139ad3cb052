"""A folder of files that a server serves, and a client of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.core.http.served import RoutesHost, Served, serve_host
from tfaas_core.routing.seam import SealedRoute, sealed
from tfaas_core.static_files import StaticFiles


class FilesHost(RoutesHost):
    """Serves a folder below a path."""

    def __init__(self, path: str, folder: Path, *settings: str) -> None:
        super().__init__({}, *settings)
        self._files = StaticFiles(path, folder)

    def routes(self) -> list[SealedRoute]:
        return [sealed(route) for route in self._files]


class Answer:
    """An answer, taken apart; the names of the headers are in lower case."""

    def __init__(self, head: bytes, body: bytes) -> None:
        first, *lines = head.decode().strip().split("\r\n")
        self.status = int(first.split()[1])
        pairs = (line.split(": ", 1) for line in lines)
        self.headers = {name.lower(): value for name, value in pairs}
        self.body = body


Get = Callable[..., Awaitable[Answer]]


def with_files(folder: Path, test: Callable[[Get], Awaitable[None]], path: str = "/ui") -> None:
    """Runs ``test`` with a client that sends targets as they are, over one connection."""

    async def beside(served: Served) -> None:
        connection = await served.connect()

        async def get(target: str, *headers: str, method: str = "GET") -> Answer:
            lines = [f"{method} {target} HTTP/1.1", "Host: tfaas", *headers, "\r\n"]
            connection.writer.write("\r\n".join(lines).encode())
            head = await connection.reader.readuntil(b"\r\n\r\n")
            answer = Answer(head, b"")
            if method != "HEAD" and answer.status != 304:
                length = int(answer.headers["content-length"])
                answer.body = await connection.reader.readexactly(length)
            return answer

        await test(get)

    serve_host(FilesHost(path, folder), beside)
