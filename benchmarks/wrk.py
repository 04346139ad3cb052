"""wrk: throughput and latency of one server that is sent one body over and over."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


class Round(msgspec.Struct, frozen=True):
    """What wrk measured of one server in one round. ``errors``: anything but an answer below 400,
    at the level of HTTP or of the socket."""

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    errors: int

    @property
    def requests_per_s(self) -> float:
        return self.requests / self.duration_us * 1e6


def drive(server: Server, body: Body, connections: int, seconds: int) -> Round:
    """One run of wrk; raises BenchmarkFailedError where wrk fails or nothing is answered."""
    with _started(server, body, connections, seconds) as process:
        return _round(server, process)


def drive_during(server: Server, body: Body, connections: int, work: Callable[[], object]) -> Round:
    """One run of wrk that lasts as long as ``work`` does; raises as ``drive``, and as that does."""
    with _started(server, body, connections, _ENDLESS_S) as process:
        work()
        # wrk then reports what it has.
        process.send_signal(signal.SIGINT)
        return _round(server, process)


@contextmanager
def _started(
    server: Server, body: Body, connections: int, seconds: int
) -> Iterator[subprocess.Popen[str]]:
    numbers = {"-t": min(connections, 2), "-c": connections, "-d": seconds, "--timeout": _TIMEOUT_S}
    command = [_WRK, *(str(part) for pair in numbers.items() for part in pair)]
    command += ["-s", str(_SCRIPT), f"{server.url}{body.path}", "--"]
    with NamedTemporaryFile(prefix="tfaas-bench-") as file:
        file.write(body.content)
        file.flush()
        command += [file.name, body.media_type]
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


def _round(server: Server, process: subprocess.Popen[str]) -> Round:
    printed, complaints = process.communicate()
    if process.returncode:
        raise BenchmarkFailedError(f"wrk failed: {complaints or printed}")
    measured = msgspec.json.decode(printed.splitlines()[-1], type=Round)
    if not measured.requests:
        raise BenchmarkFailedError(f"{server.name} answered nothing")
    return measured
