"""Goodput under overload: what a model still answers if it is asked more than it can answer.

``python -m benchmarks.overload``: a model that burns 5 ms of a core for each row, and whose rows
share no run. First 16 clients that each wait for their answer show the best that it can do. Then
requests come at that rate, at twice and at four times of it, whether or not others are answered,
over real sockets. The four take turns. In a minute and a half it prints, for each: what came, what
was answered (the goodput) and its share of the best, what was refused (503), and how long what was
answered took.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import cast
from urllib.parse import urlsplit

import msgspec
import uvloop

from benchmarks.machine import rows as machine_rows
from benchmarks.report import Report
from tfaas_core.testing.clients import fake_server

HEADER = ["offered", "requests/s", "answered/s", "of the best", "503", "other", "p50 ms", "p99 ms"]

_BURN_S = 0.005
_WAITING = 16
_TIMES = (1, 2, 4)
_WARM_UP_S = 1.0
_LAST_ANSWERS_S = 5.0
_BODY = b'{"model": "burning", "values": [1, 2, 3]}'
_REQUEST = b"POST /json HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n" + (
    b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)


class Round(msgspec.Struct):
    """What came of the requests of one round. ``took_s``: of those that were answered."""

    seconds: float
    sent: int = 0
    refused: int = 0
    other: int = 0
    took_s: list[float] = []

    @property
    def goodput(self) -> float:
        """Answers a second."""
        return len(self.took_s) / self.seconds

    def percentile_ms(self, percent: int) -> float:
        """Of the answers' times; 0 if there are none."""
        ordered = sorted(self.took_s) or [0.0]
        return 1000 * ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        if end and len(body) >= length and self._answer is not None:
            self._received = b""
            self._answer.set_result(int(head[9:12]))
            self._answer = None

    def connection_lost(self, _error: Exception | None) -> None:
        if self._answer is not None:
            self._answer.set_result(0)

    def ask(self) -> Awaitable[int]:
        """The status of the answer, or 0."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(_REQUEST)
        return self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Clients:
    """Connections to a server, as many as are needed at once."""

    def __init__(self, url: str) -> None:
        host, _, port = urlsplit(url).netloc.partition(":")
        self._host, self._port = host, int(port)
        self._idle: list[_Connection] = []

    async def ask(self, found: Round) -> None:
        """One request, which is counted in ``found``."""
        found.sent += 1
        begin_s = time.monotonic()
        status = 0
        with suppress(OSError):
            connection = self._idle.pop() if self._idle else await self._connected()
            status = await connection.ask()
            if status:
                self._idle.append(connection)
        if status == 200:
            found.took_s.append(time.monotonic() - begin_s)
        elif status == 503:
            found.refused += 1
        else:
            found.other += 1

    async def _connected(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return connection

    async def waiting(self, seconds: float) -> Round:
        """A round of clients that ask again once they are answered."""
        found = Round(seconds)
        end_s = time.monotonic() + seconds

        async def ask_again() -> None:
            while time.monotonic() < end_s:
                await self.ask(found)

        await asyncio.gather(*(ask_again() for _ in range(_WAITING)))
        return found

    async def coming(self, seconds: float, rate: float) -> Round:
        """A round of requests that come ``rate`` times a second, whatever becomes of others."""
        found = Round(seconds)
        begin_s = time.monotonic()
        asking = set()
        while (passed_s := time.monotonic() - begin_s) < seconds:
            for _ in range(int(passed_s * rate) - found.sent):
                task = asyncio.create_task(self.ask(found))
                asking.add(task)
                task.add_done_callback(asking.discard)
                # It counts itself when it begins.
                await asyncio.sleep(0)
            await asyncio.sleep(0.001)
        if asking:
            await asyncio.wait(asking, timeout=_LAST_ANSWERS_S)
        found.other += len(asking)
        return found

    def close(self) -> None:
        """Hangs up."""
        for connection in self._idle:
            connection.close()


async def measure(url: str, seconds: float, rounds: int) -> dict[str, list[Round]]:
    """Rounds by what was offered; the best first."""
    clients = Clients(url)
    found: dict[str, list[Round]] = {"best": [], **{f"{times} x": [] for times in _TIMES}}
    try:
        await clients.waiting(_WARM_UP_S)
        for _ in range(rounds):
            best = await clients.waiting(seconds)
            found["best"].append(best)
            for times in _TIMES:
                found[f"{times} x"].append(await clients.coming(seconds, times * best.goodput))
    finally:
        clients.close()
    return found


def rows(found: dict[str, list[Round]]) -> list[list[str]]:
    """The cells below HEADER: medians over the rounds."""

    def over(of: Callable[[Round], float], rounds: list[Round]) -> float:
        return median(map(of, rounds))

    best = found["best"]
    return [
        [
            offered,
            f"{over(lambda one: one.sent / one.seconds, rounds):.0f}",
            f"{over(lambda one: one.goodput, rounds):.0f}",
            f"{median(o.goodput / b.goodput for o, b in zip(rounds, best, strict=True)):.2f}",
            str(sum(one.refused for one in rounds)),
            str(sum(one.other for one in rounds)),
            f"{over(lambda one: one.percentile_ms(50), rounds):.0f}",
            f"{over(lambda one: one.percentile_ms(99), rounds):.0f}",
        ]
        for offered, rounds in found.items()
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=4.0, help="of one round")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--max-wait", type=float, default=0.5, help="engine.max_wait_s")
    chosen = options.parse_args()
    report = Report()
    report.add("The machine", ["what", "value"], machine_rows())
    with tempfile.TemporaryDirectory(prefix="tfaas-overload-") as folder:
        settings = (f"engine.max_wait_s={chosen.max_wait}", "server.log_level=warning")
        with fake_server(Path(folder), *settings) as server:
            alone = b'{"batch": {"merge": false}}'
            stored = server.upload("burning", b"burn %g" % _BURN_S, params=alone)
            stored.raise_for_status()
            found = uvloop.run(measure(server.url, chosen.seconds, chosen.rounds))
    report.add("Goodput under overload", HEADER, rows(found))


if __name__ == "__main__":
    main()
