"""Round trips between two processes: what the kernel, wake-ups and event loops take.

The other end is a process of its own, as in the server. Each function gives a median in
microseconds, of one request after the other.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import selectors
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from statistics import median
from typing import Any, TypeVar, cast

import msgspec
import uvloop

from tfaas_core.engine.in_model_process.loop import ServableLoop
from tfaas_core.engine.in_model_process.signed import Signed
from tfaas_core.engine.in_model_process.warming.warmup import Warmed
from tfaas_core.engine.scheduling.pace import Pace
from tfaas_core.engine.scheduling.slow_runs import SlowRuns
from tfaas_core.engine.shared.frames import FrameBuffer, decode_answer
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.tensors import Array, Signature

_TIMES = 3000
_WARM_UP_TIMES = 300
_TIMEOUT_S = 60

_T = TypeVar("_T")


class Cores(msgspec.Struct, frozen=True):
    """Where the two ends run: which core a scheduler wakes makes much of the difference."""

    client: int
    server: int

    @classmethod
    def same(cls) -> Cores:
        """Both ends on one core."""
        core = min(os.sched_getaffinity(0))
        return cls(core, core)

    @classmethod
    def different(cls) -> Cores:
        """Each end on a core of its own, where there are two."""
        cores = os.sched_getaffinity(0)
        return cls(min(cores), max(cores))


def tcp_us(request: bytes, answer: bytes, cores: Cores) -> float:
    """A client that blocks asks a server over uvloop, as HTTP workers are, by TCP on 127.0.0.1."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        _apart(cores, _serve_tcp, listener, len(request), answer),
        socket.create_connection(listener.getsockname()) as client,
    ):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _asked_us(client, request, len(answer))


def unix_us(request: bytes, answer: bytes, cores: Cores) -> float:
    """A client over uvloop asks a server that waits in a selector, as model processes do."""
    return _unix_us(request, answer, cores, _echo)


def servable_loop_us(request: bytes, answer: bytes, cores: Cores, signature: Signature) -> float:
    """The same, but the server is the loop of a model process, with a model that takes no time."""
    return _unix_us(request, answer, cores, _loop, signature)


def polled_us(request: bytes, answer: bytes, cores: Cores) -> float:
    """A client and a server that look for data again and again, as both ends of a lone request."""
    ours, theirs = socket.socketpair()
    with _apart(cores, _echo, theirs, len(request), answer, True), theirs, ours:
        return _asked_us(ours, request, len(answer), polls=True)


def over_uvloop(work: Coroutine[Any, Any, _T]) -> _T:
    """What ``work`` returns, run by an event loop like the HTTP workers'."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _unix_us(
    request: bytes, answer: bytes, cores: Cores, target: Callable[..., None], *more: object
) -> float:
    ours, theirs = socket.socketpair()
    with _apart(cores, target, theirs, len(request), answer, *more), theirs:
        return over_uvloop(_ask(ours, request, len(answer)))


@contextmanager
def _apart(cores: Cores, target: Callable[..., None], *arguments: object) -> Iterator[None]:
    """Runs ``target`` in another process, on its core, and the block on the other core."""
    process = multiprocessing.get_context("spawn").Process(
        target=_on_core, args=(cores.server, target, *arguments), daemon=True
    )
    allowed = os.sched_getaffinity(0)
    process.start()
    try:
        os.sched_setaffinity(0, {cores.client})
        yield
    finally:
        os.sched_setaffinity(0, allowed)
        process.kill()
        process.join()


def _on_core(core: int, target: Callable[..., None], *arguments: object) -> None:
    os.sched_setaffinity(0, {core})
    target(*arguments)


def _asked_us(
    client: socket.socket, request: bytes, answer_bytes: int, polls: bool = False
) -> float:
    durations_s = []
    client.settimeout(0 if polls else _TIMEOUT_S)
    for _ in range(_WARM_UP_TIMES + _TIMES):
        start_s = time.perf_counter()
        client.sendall(request)
        missing = answer_bytes
        while missing:
            try:
                missing -= len(client.recv(missing))
            except BlockingIOError:
                os.sched_yield()
        durations_s.append(time.perf_counter() - start_s)
    return median(durations_s[_WARM_UP_TIMES:]) * 1e6


class _Asker(asyncio.Protocol):
    """Sends the next request when it has the answer to the last."""

    def __init__(self, request: bytes, answer_bytes: int) -> None:
        self._request = request
        self._answer_bytes = answer_bytes
        self._missing = 0
        self._start_s = 0.0
        self._durations_s: list[float] = []
        self.median_us: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._missing -= len(data)
        if self._missing:
            return
        self._durations_s.append(time.perf_counter() - self._start_s)
        if len(self._durations_s) < _WARM_UP_TIMES + _TIMES:
            self._send()
        else:
            self.median_us.set_result(median(self._durations_s[_WARM_UP_TIMES:]) * 1e6)

    def _send(self) -> None:
        self._missing = self._answer_bytes
        self._start_s = time.perf_counter()
        self._transport.write(self._request)


async def _ask(sock: socket.socket, request: bytes, answer_bytes: int) -> float:
    loop = asyncio.get_running_loop()
    transport, asker = await loop.create_connection(
        lambda: _Asker(request, answer_bytes), sock=sock
    )
    try:
        return await asyncio.wait_for(asker.median_us, _TIMEOUT_S)
    finally:
        transport.close()


# The other ends, in processes of their own.


class _Answerer(asyncio.Protocol):
    def __init__(self, request_bytes: int, answer: bytes) -> None:
        self._request_bytes = request_bytes
        self._answer = answer
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received == self._request_bytes:
            self._received = 0
            self._transport.write(self._answer)


def _serve_tcp(listener: socket.socket, request_bytes: int, answer: bytes) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        await loop.create_server(lambda: _Answerer(request_bytes, answer), sock=listener)
        orphaned = asyncio.Event()
        loop.add_reader(_parent().sentinel, orphaned.set)
        await orphaned.wait()

    over_uvloop(serve())


def _echo(sock: socket.socket, request_bytes: int, answer: bytes, polls: bool = False) -> None:
    sock.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(sock, selectors.EVENT_READ)
    received = 0
    while True:
        while not selector.select(0 if polls else None):
            os.sched_yield()
        data = sock.recv(1 << 18)
        if not data:
            return
        received += len(data)
        if received == request_bytes:
            received = 0
            sock.send(answer)


class _Constant(Servable):
    stateful = False

    def __init__(self, signature: Signature, outputs: list[Array]) -> None:
        self.signature = signature
        self._outputs = outputs

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return self._outputs

    def close(self) -> None:
        pass


def _loop(sock: socket.socket, _request_bytes: int, answer: bytes, signature: Signature) -> None:
    (frame,) = FrameBuffer().feed(answer)
    servable = _Constant(signature, decode_answer(frame, signature.outputs).outputs)
    warmed = Warmed(signature, mergeable=True)
    pace = Pace("normal", SlowRuns.create())
    loop = ServableLoop(
        [Signed(servable, warmed)], LoadOptions(), Meter.create(1), pace, lambda: None
    )
    loop.start()
    loop.connect(sock)
    _parent().join()


def _parent() -> BaseProcess:
    parent = multiprocessing.parent_process()
    assert parent is not None
    return parent
