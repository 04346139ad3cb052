"""WorkerProcess: an HTTP worker, as the parent sees it."""

from __future__ import annotations

import asyncio
import logging
import pickle
import socket
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from tfaas_core.config import Config
from tfaas_core.processes.in_parent.heartbeat import Heartbeat
from tfaas_core.processes.in_parent.worker_body import WorkerBody
from tfaas_core.processes.messages import FromWorker, Ping, Refresh, Refreshed, Renew, Renewed
from tfaas_core.status import Fitness
from tfaas_core.system.links.link import Link
from tfaas_core.system.lives.ending import Ending
from tfaas_core.system.lives.stopped import LOOK_EVERY_S

_REFRESHES_S = 10.0
_RETRY_S = 1.0

_log = logging.getLogger("tfaas.parent")


class WorkerProcess:
    """A process that was started, and the link to it. ``is_serving`` since it said so.

    ``cannot_start`` since it said that; then it was killed, and nobody else has ended it.

    ``on_message`` gets what the worker says of itself.
    """

    def __init__(
        self,
        number: int,
        process: WorkerBody,
        control: socket.socket,
        on_message: Callable[[WorkerProcess, FromWorker, list[int]], None],
        silent_limit_s: float = 0.0,
        fitness: Callable[[], Fitness] = Fitness,
    ) -> None:
        """``silent_limit_s``: see Heartbeat. ``fitness`` says how the server is."""
        self.number = number
        self.process = process
        self.is_serving = False
        self.cannot_start = False
        # That a worker is gone, its sentinel tells.
        self._link: Link[FromWorker] = Link(
            control, FromWorker, partial(on_message, self), lambda: None, f"HTTP worker {number}"
        )
        self.send: Callable[..., None] = self._link.send
        """Tells it something."""
        self._fitness = fitness
        self.heartbeat = Heartbeat(process.pid or 0, self.ping, silent_limit_s)

    def ping(self) -> None:
        """Asks it whether it goes on, and tells it how the server is."""
        self.send(Ping(self._fitness()))

    async def refresh(self, name: str) -> bool:
        """Has it look up ``name``, or with "", everything; returns whether it could.

        A worker that dies meanwhile need not: the next one reads everything.
        """
        try:
            answer: Refreshed = await self._link.ask(partial(Refresh, name=name))
        except ConnectionError:
            return True
        return answer.could

    async def renew(self, config: bytes) -> bool:
        """Has it take what can change of a Config, which is pickled; returns whether it could.

        One that dies meanwhile need not: the next one begins with it.
        """
        try:
            answer: Renewed = await self._link.ask(partial(Renew, config=config))
        except ConnectionError:
            return True
        return answer.could

    def kill(self) -> None:
        """Ends it at once."""
        self.process.kill()

    async def buried(self) -> Ending:
        """How it ended, once its sentinel has told that it has."""
        # It may have said why.
        self._link.receive()
        self._link.end(lambda: ConnectionError(f"HTTP worker {self.number} is gone"))
        return await self.process.buried()


async def refreshed(workers: Iterable[WorkerProcess], name: str, stop: asyncio.Event) -> bool:
    """Has ``workers`` look up ``name``, or with "", everything.

    Returns, after ten seconds at most, whether all of them have done so. Once ``stop`` is set, all
    of them end, and it waits for nobody.
    """
    asked = asyncio.gather(*(worker.refresh(name) for worker in workers))
    stopped = asyncio.create_task(stop.wait())
    either: list[asyncio.Future[Any]] = [asked, stopped]
    try:
        await asyncio.wait(either, timeout=_REFRESHES_S, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            return all(asked.result())
        if not stop.is_set():
            _log.warning("an HTTP worker has not refreshed %r within %g s", name, _REFRESHES_S)
        return stop.is_set()
    finally:
        asked.cancel()
        # Nobody waits for it any more, and it would be logged as an error that nobody heeds.
        asked.add_done_callback(lambda done: done.cancelled() or done.exception())
        stopped.cancel()


async def renewed(workers: Iterable[WorkerProcess], config: Config) -> bool:
    """Has ``workers`` take what can change; returns, after ten seconds at most, whether all could.

    Those that take longer do it later.
    """
    pickled = pickle.dumps(config)
    try:
        async with asyncio.timeout(_REFRESHES_S):
            return all(await asyncio.gather(*(worker.renew(pickled) for worker in workers)))
    except TimeoutError:
        _log.warning("an HTTP worker has not taken the configuration within %g s", _REFRESHES_S)
        return False


async def follow_changes(
    workers: Mapping[int, WorkerProcess], changed: asyncio.Event, stop: asyncio.Event
) -> None:
    """Has those that serve look at the storage whenever it has changed, until they could."""
    while True:
        await changed.wait()
        changed.clear()
        if stop.is_set():
            return
        serving = [worker for worker in workers.values() if worker.is_serving]
        try:
            all_could = await refreshed(serving, "", stop)
        except Exception:  # to end would mean to tell of no change ever again
            _log.exception("the HTTP workers cannot be told of changes at the moment")
            all_could = False
        if not all_could:
            await asyncio.sleep(_RETRY_S)
            changed.set()


async def listen_to_hearts(workers: Mapping[int, WorkerProcess], stop: asyncio.Event) -> None:
    """Kills those that have to be replaced, until ``stop`` is set: ending has limits of its own."""
    while not stop.is_set():
        for worker in list(workers.values()):
            try:
                _listen_to(worker)
            except Exception:  # to end would mean to notice nothing ever again
                _log.exception("HTTP worker %d is not watched at the moment", worker.number)
        await asyncio.sleep(LOOK_EVERY_S)


def _listen_to(worker: WorkerProcess) -> None:
    if fault := worker.heartbeat.fault(worker.is_serving):
        _log.warning("HTTP worker %d %s: replacing it", worker.number, fault)
        worker.kill()
