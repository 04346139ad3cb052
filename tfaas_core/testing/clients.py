"""Servers of made-up models for tests, and clients that ask them again and again."""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import RunningServer, running_server
from tfaas_core.testing.waiting import until

# Between an answer and the next request of a client: so the server has time for what it is tested
# at, and the tests beside this one have theirs.
_PAUSE_S = 0.002

_PLUGIN = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.testing.runtime import FakeRuntime

@hookimpl
def tfaas_register_runtimes():
    return {"fake": FakeRuntime()}
"""


@contextmanager
def fake_server(
    folder: Path,
    *settings: str,
    disabled: Sequence[str] = (),
    arguments: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    python: str = sys.executable,
) -> Iterator[RunningServer]:
    """A server of FakeRuntime's models, which come as a third-party plugin, without TensorFlow.

    ``disabled``: further plugins that it does without; ``arguments``: further ones of ``tfaas
    serve``; ``env``: further environment variables; ``python``: what runs it.
    """
    info = folder / "site" / "fake_runtime-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "site" / "fake_runtime.py").write_text(_PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-runtime\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tfaas]\nfake = fake_runtime\n")
    with running_server(
        folder,
        "server.workers=2",
        f"plugins.disabled={json.dumps([*HEAVY_PLUGINS, *disabled])}",
        *settings,
        arguments=arguments,
        env={"PYTHONPATH": os.pathsep.join([str(folder / "site"), *sys.path]), **(env or {})},
        python=python,
    ) as server:
        yield server


class Clients:
    """Clients that ask all the time, each on a connection of its own, and count what they get.

    They ask for the row 1, 2, 3. An answer that is none of ``right`` is counted by its text. As
    clients of HTTP do, they look whether the server has closed a connection before they use it
    again.
    """

    def __init__(
        self, server: RunningServer, models: str, right: Collection[bytes] = (b"[6.0]",)
    ) -> None:
        self._right = right
        self.got: Counter[tuple[str, object]] = Counter()
        self._address = urlsplit(server.url).netloc
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(m,)) for m in models.split()]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, answers: int) -> None:
        """Until this many more answers have come."""
        goal = self.got.total() + answers
        until(lambda: self.got.total() >= goal)

    def statuses(self, model: str) -> dict[object, int]:
        """How often the clients of a model got which status, or which exception."""
        return {status: count for (name, status), count in self.got.items() if name == model}

    def _ask(self, model: str) -> None:
        body = json.dumps({"model": model, "values": [1, 2, 3]})
        with closing(HTTPConnection(self._address, timeout=30)) as connection:
            while not self._ending.wait(_PAUSE_S):
                if is_closed(connection):
                    connection.close()
                try:
                    connection.request("POST", "/json", body)
                    answer = connection.getresponse()
                    text = answer.read()
                    is_right = answer.status != 200 or text in self._right
                    self.got[model, answer.status if is_right else text] += 1
                except (OSError, HTTPException) as error:
                    connection.close()
                    self.got[model, type(error)] += 1
                    if isinstance(error, ConnectionRefusedError):
                        return


def is_closed(connection: HTTPConnection) -> bool:
    """Whether the server has ended it, while nothing is on its way."""
    if connection.sock is None:
        return False
    looking = select.poll()
    looking.register(connection.sock, select.POLLIN)
    return looking.poll(0) != []
