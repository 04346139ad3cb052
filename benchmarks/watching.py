"""What guards, observers and the metrics cost a prediction: ``python -m benchmarks.watching``.

One row of JSON takes its whole way through an HTTP worker, but for sockets and the model's process,
many in each turn of the event loop. All by the CPU time of one thread, so that it can be compared
on a busy machine, too.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack

import numpy as np
import uvloop

from benchmarks.attended import everybody
from benchmarks.bodies import Body, as_json
from benchmarks.network import ROWS
from tfaas_core import Asking, Guard, hookimpl
from tfaas_core.engine.beginning import AwaitingRows, BeginsRuns
from tfaas_core.host import Host
from tfaas_core.http.express import ExpressLane, PlainRequest
from tfaas_core.http.express_answers import answer_bytes
from tfaas_core.http.router import Router
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import ClientAddress, Response
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.fake_engine import FakeEngine
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.hosts import host_of
from tfaas_core.visit import Timing

MODEL = "sum"
TURN = 30
"""Requests in one turn of the event loop, about as 128 connections have it."""

TURNS = 5
"""Few, so that now and then another process lets all of them be."""

ROUNDS = 1000


class Everywhere(everybody.Everybody):
    """Knows who asks, and lets him go to any model."""

    def admit(self, asking: Asking) -> str:
        return "alice"

    def admit_to(self, asking: Asking, identity: str, model: str) -> None: ...


class Knowing:
    """The plugin of a guard that is asked about models, too."""

    @hookimpl
    def tfaas_register_guards(self) -> Iterable[Guard]:
        return [Everywhere()]


class AtOnce(FakeEngine, BeginsRuns):
    """Answers all requests of a turn at its end, as one run."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[tuple[Callable[[], None], Timing | None]] = []
        self._same = [np.full((TURN, 1), 0.5, np.float32)]
        self.beginning = self

    def run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
        timing: Timing | None = None,
        any_shape: bool = False,
    ) -> Awaitable[list[Array]]:
        answer: asyncio.Future[list[Array]] = asyncio.get_running_loop().create_future()
        row = len(self._waiting)
        self._wait(lambda: answer.set_result([self._same[0][row : row + 1]]), timing)
        return answer

    def begin(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        awaiting: AwaitingRows,
        timing: Timing | None = None,
    ) -> bool:
        row = len(self._waiting)
        self._wait(lambda: awaiting.set_rows(self._same, row, row + 1), timing)
        return True

    def _wait(self, told: Callable[[], None], timing: Timing | None) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._end_turn)
        self._waiting.append((told, timing))

    def _end_turn(self) -> None:
        waiting, self._waiting = self._waiting, []
        if (first := waiting[0][1]) is not None:
            first.run_rows = len(waiting)
        for told, timing in waiting:
            if timing is not None:
                timing.run_s, timing.wait_s = 0.0001, 0.0003
            told()


class Way:
    """The way of ``body`` through an HTTP worker that has a ``host``: ``turn`` times in each of
    ``turns`` turns of the event loop."""

    def __init__(self, host: Host, body: Body, turn: int = TURN, turns: int = TURNS) -> None:
        self._turn, self._turns = turn, turns
        self._lane = ExpressLane(Router(host.routes()), max_body_bytes=1 << 20)
        self._client = ClientAddress("127.0.0.1", 1)
        headers = {"Host": "localhost", **body.headers, "Content-Length": str(len(body.content))}
        lines = [f"POST {body.path} HTTP/1.1", *(f"{name}: {headers[name]}" for name in headers)]
        self._data = "\r\n".join([*lines, "", ""]).encode() + body.content

    async def request_us(self) -> float:
        """The CPU time of one request, in microseconds."""
        request = self._lane.request(self._data, self._client)
        assert request is not None
        if request.said.short is None:
            return await turns_us(self._one)
        begin_s = time.thread_time()
        for _ in range(self._turns):
            await self._short_turn()
        return (time.thread_time() - begin_s) / (self._turn * self._turns) * 1e6

    async def _short_turn(self) -> None:
        """What connections do with requests that take the short way, without a task for each."""
        all_sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        left = self._turn
        for _ in range(self._turn):
            request = self._lane.request(self._data, self._client)
            assert request is not None
            assert request.said.short is not None
            passage = request.said.passage

            def reply(answer: Response | BaseException, request: PlainRequest = request) -> None:
                nonlocal left
                answer_bytes(request.said.passage.ended(request, answer), keep_alive=True)
                left -= 1
                if not left:
                    all_sent.set_result(None)

            if passage.begin(request.said.short, request, reply) is None:
                sys.exit("the prediction did not take the short way")
        await all_sent

    async def _one(self) -> None:
        request = self._lane.request(self._data, self._client)
        assert request is not None
        response = await request.said.passage(request)
        if response.status != 200:
            sys.exit(f"the prediction was answered {response.status}")
        answer_bytes(response, keep_alive=True)


async def turns_us(ask: Callable[[], Awaitable[None]]) -> float:
    """The CPU time of one request of several turns, in microseconds."""
    begin_s = time.thread_time()
    for _ in range(TURNS):
        await asyncio.gather(*[ask() for _ in range(TURN)])
    return (time.thread_time() - begin_s) / (TURN * TURNS) * 1e6


def model() -> FunctionServable:
    """Takes such rows; nobody asks it."""
    columns = ROWS.shape[1]
    spec = TensorSpec("x", "float32", (None, columns))
    return FunctionServable(lambda x: x, spec, output=TensorSpec("y", "float32", (None, 1)))


async def measured() -> dict[str, float]:
    """The least of many rounds, in turn."""
    without = "plugins.metrics.enabled=false"
    kinds: dict[str, tuple[list[object], list[str]]] = {
        "without metrics": ([], [without]),
        "with metrics": ([], []),
        "and with a guard and an observer": ([everybody], []),
        "and with a guard that is asked about models": ([Knowing()], []),
    }
    async with AsyncExitStack() as hosts:
        ways = {}
        for name, (plugins, settings) in kinds.items():
            host = host_of(plugins, {MODEL: model()}, settings, engine=AtOnce())
            ways[name] = Way(await hosts.enter_async_context(host), as_json(MODEL, 1))
        least = dict.fromkeys(ways, float("inf"))
        for _ in range(ROUNDS):
            for name, way in ways.items():
                least[name] = min(least[name], await way.request_us())
    return least


def main() -> None:
    """Prints a line each."""
    for name, us in uvloop.run(measured()).items():
        print(f"{us:8.2f} us  a prediction, {name}")


if __name__ == "__main__":
    main()
