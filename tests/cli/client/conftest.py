"""A server for all tests of the commands that talk to one, and what else may be at a URL."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.client.commands import WITHIN_S
from tfaas_core.testing.server import RunningServer, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One for all tests, which leave it as they found it."""
    with running_server(tmp_path_factory.mktemp("server"), "server.workers=1") as running:
        yield running


@pytest.fixture(autouse=True)
def url(server: RunningServer, here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The commands find the server by themselves; it has no models before a test."""
    monkeypatch.setenv("TFAAS_URL", server.url)
    yield server.url
    for name in server.names():
        server.http.delete(f"/delete/{name}")


@pytest.fixture
def speaker() -> Iterator[Callable[[bytes], str]]:
    """Serves one connection: takes the head of a request, says these bytes, and hangs up.

    Gives its URL.
    """
    threads: list[threading.Thread] = []

    def serve(listening: socket.socket, said: bytes) -> None:
        with listening, listening.accept()[0] as connection:
            while b"\r\n\r\n" not in connection.recv(65536, socket.MSG_PEEK):
                pass
            connection.settimeout(WITHIN_S)
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            # Closed before all is read, it would be reset, and the client might lose the answer.
            while connection.recv(65536):
                pass

    def start(said: bytes) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.settimeout(WITHIN_S)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        threads.append(threading.Thread(target=serve, args=(listening, said)))
        threads[-1].start()
        return url

    yield start
    for thread in threads:
        thread.join(WITHIN_S)
        assert not thread.is_alive()
