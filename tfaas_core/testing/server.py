"""A real server for tests: ``tfaas serve`` in processes of its own, on a free port."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from tfaas_core.testing.forked import fork_servers, http_workers, model_processes

STOP_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 120.0
_LAST_LINES = 100


class RunningServer:
    """A server that answers, and what a test needs of it.

    ``start_line`` is what it printed first, with its addresses.
    """

    def __init__(self, process: subprocess.Popen[str], start_line: str, log: Path) -> None:
        self.process = process
        self.start_line = start_line
        self.url = _first_url(start_line)
        self.log = log
        self.http = http_client(self.url)

    def upload(self, name: str, model: bytes | Path, **parts: bytes) -> httpx.Response:
        """``POST /upload`` of a form with the name, the model and further files."""
        content = model.read_bytes() if isinstance(model, Path) else model
        files = {"model": ("model.pb", content)}
        files |= {part: (f"{part}.txt", value) for part, value in parts.items()}
        return self.http.post("/upload", data={"name": name}, files=files)

    def predict(self, **document: object) -> httpx.Response:
        """``POST /predict/json`` of a document."""
        return self.http.post("/predict/json", json=document)

    def names(self) -> list[str]:
        """The names that ``GET /models`` lists."""
        return [str(record["name"]) for record in self.http.get("/models").json()]

    @property
    def parent(self) -> psutil.Process:
        """The process of ``tfaas serve`` itself."""
        return psutil.Process(self.process.pid)

    def workers(self) -> list[psutil.Process]:
        """The HTTP workers."""
        return http_workers(self.parent)

    def fork_server(self) -> psutil.Process:
        """The process that model processes are forked from."""
        (server,) = fork_servers(self.parent)
        return server

    def model_processes(self) -> list[psutil.Process]:
        """The model processes of the present fork servers."""
        return model_processes(self.parent)

    def stop(self, hang_up: bool = True) -> int:
        """SIGTERM; returns the exit code.

        ``hang_up``: ``http`` is closed before, since the server waits, for a while, until its
        clients have gone. Whoever still asks by it would get no answer.
        """
        if hang_up:
            self.http.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)


def http_client(url: str, **options: Any) -> httpx.Client:
    """A client for what is below ``url``; ``options``: further ones of httpx.Client's."""
    # The certificates of all authorities take 20 ms to read.
    is_secure = url.startswith("https:")
    options = {"timeout": ANSWER_TIMEOUT_S, "verify": is_secure, **options}
    return httpx.Client(base_url=url, **options)


@contextmanager
def running_server(
    folder: Path,
    *settings: str,
    arguments: Sequence[str] = (),
    env: dict[str, str] | None = None,
    python: str = sys.executable,
) -> Iterator[RunningServer]:
    """Starts a server that keeps its models and its log in ``folder``, and stops it at the end.

    All its HTTP workers take connections, so that tests meet each of them; ``settings`` may say
    otherwise. They are like ``engine.max_batch_rows=8``. Where they say which storage, or where it
    is, that is where the models are. ``python``: the interpreter, perhaps of another venv.
    """
    if not any(setting.startswith(("storage.kind=", "storage.root=")) for setting in settings):
        settings = (f"storage.root={folder / 'models'}", *settings)
    settings = ("server.port=0", "server.reserve_worker=false", *settings)
    options = [word for setting in settings for word in ("--set", setting)]
    log = folder / "server.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [python, "-m", "tfaas_core", "serve", *options, *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | (env or {}),
        )
    try:
        server = RunningServer(process, _start_line(process, log), log)
        with server.http, _told_with(log):
            yield server
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        finally:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()


def _start_line(process: subprocess.Popen[str], log: Path) -> str:
    """Waits for the line that tells the addresses, which comes when the server serves."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "://" in line, f"the server did not start: {line}{log.read_text()}"
    return line


@contextmanager
def _told_with(log: Path) -> Iterator[None]:
    """Has pytest print the log's last lines below what is raised: the folder may not stay."""
    try:
        yield
    except BaseException as error:
        with log.open(errors="replace") as lines:
            end = "".join(deque(lines, _LAST_LINES))
        error.add_note(f"The server's log:\n{end}")
        raise


def _first_url(line: str) -> str:
    """The server's own."""
    found = re.search(r"https?://[^\s,]+", line)
    assert found is not None, line
    return found[0]
