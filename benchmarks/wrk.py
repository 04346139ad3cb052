"""wrk: throughput and latency of one server that is sent one body over and over."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec

from benchmarks.bodies import Body
from benchmarks.servers import BenchmarkFailedError, Server

_WRK = "wrk"
_SCRIPT = Path(__file__).with_name("post.lua")
_TIMEOUT_S = 60
"""Long, because a slow answer is slow, and not an error."""
_ENDLESS_S = 3600


class Load(msgspec.Struct, frozen=True):
    """What wrk sends over and over: ``bodies`` of one path and the same headers, in turn.

    Without ``keep_alive``, each request has a connection of its own.
    """

    bodies: Sequence[Body]
    connections: int
    keep_alive: bool = True


class Round(msgspec.Struct, frozen=True):
    """What wrk measured of one server in one round. ``errors``: anything but an answer below 400,
    at the level of HTTP or of the socket. ``latency_us``: by percentile, like ``99.9``."""

    requests: int
    duration_us: int
    errors: int
    latency_us: dict[str, int]

    @property
    def requests_per_s(self) -> float:
        return self.requests / self.duration_us * 1e6

    @property
    def p50_us(self) -> int:
        return self.latency_us["50"]

    @property
    def p99_us(self) -> int:
        return self.latency_us["99"]


def drive(server: Server, load: Load, seconds: int) -> Round:
    """One run of wrk; raises BenchmarkFailedError where wrk fails or nothing is answered.

    Where a large request is not answered in so short a time, another run takes twice as long.
    """
    while True:
        with _started(server, load, seconds) as process:
            measured = _round(process)
        if measured.requests or measured.errors or seconds > _TIMEOUT_S:
            return _with_answers(server, measured)
        seconds *= 2


def drive_during(server: Server, load: Load, work: Callable[[], object]) -> Round:
    """One run of wrk that lasts as long as ``work`` does; raises as ``drive``, and as that does."""
    with _started(server, load, _ENDLESS_S) as process:
        work()
        # wrk then reports what it has.
        process.send_signal(signal.SIGINT)
        return _with_answers(server, _round(process))


@contextmanager
def _started(server: Server, load: Load, seconds: int) -> Iterator[subprocess.Popen[str]]:
    connections = load.connections
    numbers = {"-t": min(connections, 2), "-c": connections, "-d": seconds, "--timeout": _TIMEOUT_S}
    command = [_WRK, *(str(part) for pair in numbers.items() for part in pair)]
    for name, value in load.bodies[0].more_headers.items():
        command += ["-H", f"{name}: {value}"]
    command += ["-s", str(_SCRIPT), f"{server.url}{load.bodies[0].path}", "--"]
    command += ["keep-alive" if load.keep_alive else "close", load.bodies[0].media_type]
    with ExitStack() as files:
        command += [files.enter_context(_file(body.content)) for body in load.bodies]
        try:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except FileNotFoundError:
            raise BenchmarkFailedError("wrk is not installed: apt-get install wrk") from None
        with process:
            try:
                yield process
            finally:
                process.kill()


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    with NamedTemporaryFile(prefix="tfaas-bench-") as file:
        file.write(content)
        file.flush()
        yield file.name


def _round(process: subprocess.Popen[str]) -> Round:
    printed, complaints = process.communicate()
    if process.returncode:
        raise BenchmarkFailedError(f"wrk failed: {complaints or printed}")
    return msgspec.json.decode(printed.splitlines()[-1], type=Round)


def _with_answers(server: Server, measured: Round) -> Round:
    if not measured.requests:
        raise BenchmarkFailedError(f"{server.name} answered nothing")
    return measured
