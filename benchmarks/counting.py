"""What the metrics cost: each request, and a scrape: ``python -m benchmarks.counting``.

All in one process and by its CPU time, so that it can be compared on a busy machine, too. How long
a scrape takes, but for sockets, is told beside it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tfaas_plugins.metrics import families as f
from tfaas_plugins.metrics.cells import AllCells, Cells
from tfaas_plugins.metrics.counting import Counting
from tfaas_plugins.metrics.directory import Directory
from tfaas_plugins.metrics.exposition import Exposition, text
from tfaas_plugins.metrics.shared import MOST_MODELS, size_bytes

from tfaas_core.http.request import HttpRequest
from tfaas_core.observer import Observer
from tfaas_core.route import ClientAddress, Head, Request, Response, Route
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.seam import Passage, sealed
from tfaas_core.shared_memory import SharedMemory
from tfaas_core.testing.fake_request import FakeLane, FakeRequest
from tfaas_core.testing.hosts import host_of

WORKERS = 2
TURN = 30
"""Requests in one turn of the event loop, about as 128 connections have it."""

ROUNDS, TURNS = 60, 100
ANSWER = Response(b"[6.0]")


class Told(Observer):
    """Is told of each answer, and does nothing with it."""

    def answered(self, _answer: object) -> None: ...


def counting(memory: SharedMemory) -> Counting:
    """That of one HTTP worker."""
    return Counting(Directory(memory), Cells(memory, 0), lambda _name: True)


def passage(*observers: Observer) -> Passage:
    """To a handler that says what a prediction says, and does nothing else."""

    async def handler(request: Request) -> Response:
        if (visit := request.visit) is not None:
            visit.codec, visit.model, visit.version, visit.rows = "json", "sum", 1, 1
            visit.wait_s, visit.run_s = 0.0004, 0.0001
        return ANSWER

    told = Observers((each, "benchmarks") for each in observers) if observers else None
    route = Route("/json", ("POST",), handler, right="predict")
    return sealed(route, is_ours=True, observers=told).passage


async def request_us(way: Passage) -> float:
    """The CPU time of one request, in microseconds."""
    head, client = Head(raw_path="/json"), ClientAddress("127.0.0.1", 1)
    requests = [HttpRequest(head, client, b"0" * 40) for _ in range(TURN)]
    begin_s = time.thread_time()
    for _ in range(TURNS):
        for request in requests:
            await way(request)
        await asyncio.sleep(0)
    return (time.thread_time() - begin_s) / (TURN * TURNS) * 1e6


async def requests() -> dict[str, float]:
    """The least of many rounds, in turn."""
    ways = {
        "nobody is told": passage(),
        "an observer is told of each answer": passage(Told()),
        "metrics count": passage(counting(SharedMemory(size_bytes(WORKERS)))),
    }
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            least[name] = min(least[name], await request_us(way))
    return least


def scrape_ms(models: int) -> tuple[float, int]:
    """The CPU time of a scrape, in milliseconds, and how many bytes it is."""
    memory = SharedMemory(size_bytes(WORKERS))
    directory, cells, exposition = Directory(memory), AllCells(memory), Exposition()
    for number in range(models):
        directory.find(f.PREDICTIONS, f"model-{number}", "1", "json", "200")
        for family in (f.DURATIONS, f.WAITS, f.RUNS, f.BATCHES):
            directory.find(family, f"model-{number}")

    def scrape() -> bytes:
        blocks = exposition.blocks(directory.series)
        return text(blocks, cells.totals(directory.series, directory.next_cell), ())

    return least_ms(scrape), len(scrape())


async def whole_scrape_ms(models: int) -> tuple[float, float]:
    """The CPU time and the time of ``GET /metrics``, the least of each, in milliseconds.

    All of its way through an HTTP worker whose models were asked once each, but for sockets.
    """
    names = [f"model-{number}" for number in range(models)]
    async with host_of(models=dict.fromkeys(names, lambda rows: rows)) as host:
        lane, scrape = FakeLane(host), FakeRequest.of("GET", "/metrics")
        for name in names:
            asked = FakeRequest.of("POST", f"/models/{name}/predict/json", b'{"values": [1, 2, 3]}')
            assert (await lane.answer(asked)).status == 200
        took_ms = []
        for _ in range(20):
            began = time.process_time(), time.perf_counter()
            assert (await lane.answer(scrape)).status == 200
            ended = time.process_time(), time.perf_counter()
            took_ms.append([(end - begin) * 1000 for end, begin in zip(ended, began, strict=True)])
    cpu_ms, wall_ms = (min(each) for each in zip(*took_ms, strict=True))
    return cpu_ms, wall_ms


def least_ms(work: Callable[[], object]) -> float:
    """The least CPU time of ten calls."""
    took_s = []
    for _ in range(10):
        begin_s = time.thread_time()
        work()
        took_s.append(time.thread_time() - begin_s)
    return min(took_s) * 1000


def main() -> None:
    """Prints a line each."""
    for name, us in asyncio.run(requests()).items():
        print(f"{us:8.2f} us  a request, where {name}")
    for models in (1, MOST_MODELS):
        ms, size = scrape_ms(models)
        print(f"{ms:8.2f} ms  a scrape of {models} models, {size / 1e6:.2f} MB")
    cpu_ms, wall_ms = asyncio.run(whole_scrape_ms(MOST_MODELS))
    print(f"{cpu_ms:8.2f} ms  GET /metrics of {MOST_MODELS} models, by a clock {wall_ms:.2f} ms")


if __name__ == "__main__":
    main()
