"""The contenders as subprocesses: started, found by address, ended with all they began."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
WORKERS = os.cpu_count() or 1
TFAAS = str(Path(sys.executable).with_name("tfaas"))
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}
"""For all that is started: a user's Python compiles its modules once, not at each start."""

_STOP_TIMEOUT_S = 15
_URL = re.compile(r"http://[^\s,]+")
_HOST = re.compile(r"\S+:\d+$")


class BenchmarkFailedError(Exception):
    """Something did not work, so that there is nothing to measure."""


class Server(msgspec.Struct, frozen=True):
    """A server that has announced its address. ``pid`` is its parent process.

    ``url``: without a scheme, if it is a host that runs models.
    """

    name: str
    pid: int
    url: str


def tfaas(
    storage: Path,
    settings: Mapping[str, object] | None = None,
    command: Sequence[str] = (TFAAS,),
    environment: Mapping[str, str] = ENVIRONMENT,
) -> AbstractContextManager[Server]:
    """``tfaas serve`` on a free port, with its models in ``storage``, and these settings.

    ``command`` and ``environment`` may be those of another checkout.
    """
    all_settings = {
        "server.port": 0,
        "server.workers": WORKERS,
        "server.log_level": "warning",
        "storage.root": storage,
        **(settings or {}),
    }
    if "storage.kind" in all_settings:
        del all_settings["storage.root"]
    # In a folder without a tfaas.toml.
    storage.mkdir(exist_ok=True)
    return _running("tfaas", [*command, "serve", *_overrides(all_settings)], storage, environment)


def host(storage: Path, settings: Mapping[str, object]) -> AbstractContextManager[Server]:
    """``tfaas serve-engine`` on a free port, with the models of ``storage``, and these settings."""
    overrides = _overrides({"storage.root": storage, **settings})
    command = [TFAAS, "serve-engine", "--listen", "127.0.0.1:0", *overrides]
    return _running("tfaas serve-engine", command, storage, address=_HOST)


def _overrides(settings: Mapping[str, object]) -> list[str]:
    return [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]


def noop(workers: int = WORKERS) -> AbstractContextManager[Server]:
    """The no-op application on a free port, with as many workers."""
    return _running("no-op", [sys.executable, "-m", "benchmarks.noop_app", str(workers)], ROOT)


def bare(workers: int = WORKERS) -> AbstractContextManager[Server]:
    """The bare protocol on a free port, with as many workers."""
    return _running("bare", [sys.executable, "-m", "benchmarks.bare_app", str(workers)], ROOT)


def grpc_noop(workers: int = WORKERS) -> AbstractContextManager[Server]:
    """The no-op of grpc.aio on a free port, with as many workers."""
    return _running("no-op", [sys.executable, "-m", "benchmarks.grpc_noop", str(workers)], ROOT)


@contextmanager
def _running(
    name: str,
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] = ENVIRONMENT,
    address: re.Pattern[str] = _URL,
) -> Iterator[Server]:
    # A session of its own: Ctrl-C reaches only us, and one signal reaches all of it.
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Server(name, process.pid, _announced(name, process, address))
    finally:
        _end(process)


def _announced(name: str, process: subprocess.Popen[str], address: re.Pattern[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := address.search(line.rstrip()):
            return found[0]
    raise BenchmarkFailedError(f"{name} ended before it announced an address")


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
