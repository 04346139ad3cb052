"""Waiting: for the server to live, for its first prediction, for an upload, for the help."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.network import NAME, client, predict, upload
from benchmarks.servers import ENVIRONMENT, TFAAS, Server, tfaas


class Startup(msgspec.Struct, frozen=True):
    """Seconds from the start of ``tfaas serve``."""

    live_s: float
    first_prediction_s: float


class StartupFigures(msgspec.Struct, frozen=True):
    """Medians. The import is that of TensorFlow in an interpreter of its own."""

    live_s: float
    first_prediction_s: float
    import_s: float


def startup(storage: Path, repeats: int) -> StartupFigures:
    """Starts a server that has the network stored already, in turn with ``import tensorflow``."""
    with tfaas(storage) as server, client(server.url) as to:
        upload(to, NAME)
    starts, imports = [], []
    for _ in range(repeats):
        imports.append(_seconds(_run, sys.executable, "-c", "import tensorflow"))
        starts.append(_start(storage))
    return StartupFigures(
        median(start.live_s for start in starts),
        median(start.first_prediction_s for start in starts),
        median(imports),
    )


def _start(storage: Path) -> Startup:
    # A client takes a while to make, which is not the server's.
    with client("") as to:
        start_s = time.perf_counter()
        with tfaas(storage) as server:
            to.base_url = server.url
            to.get("/models").raise_for_status()
            live_s = time.perf_counter() - start_s
            predict(to, NAME)
            return Startup(live_s, time.perf_counter() - start_s)


def upload_s(server: Server, uploads: int) -> float:
    """The median time of an upload under a new name, until its 200: by then it is being served."""
    with client(server.url) as to:
        to.get("/models").raise_for_status()
        return median(_seconds(upload, to, f"upload-{i}") for i in range(uploads))


def help_s(repeats: int) -> float:
    """The median time of ``tfaas --help``."""
    return median(_seconds(_run, TFAAS, "--help") for _ in range(repeats))


def _run(*command: str) -> None:
    subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True)


def _seconds(work: Callable[..., None], *arguments: Any) -> float:
    start_s = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start_s
