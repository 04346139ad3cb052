"""One HTTP worker is told of each event."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tfaas_core.events import ModelCrashed, ModelSwitched
from tfaas_core.processes.in_parent.teller import Teller
from tfaas_core.processes.in_parent.worker_body import SpawnedWorker
from tfaas_core.processes.in_parent.worker_process import WorkerProcess
from tfaas_core.processes.messages import Happened, ToHttpWorker
from tfaas_core.system.links.blocking_link import BlockingLink
from tfaas_core.testing.loops import in_event_loop

SWITCH = ModelSwitched(model="vk", label="", version=2, before=1)


def crash(pid: int) -> ModelCrashed:
    return ModelCrashed(model="vk", version=1, pid=pid, ending="ended", was_loaded=True)


class Worker(WorkerProcess):
    """The parent's side of a worker, and what the worker would receive."""

    def __init__(self, number: int) -> None:
        control, self._theirs = socket.socketpair()
        process = SpawnedWorker(multiprocessing.get_context("spawn").Process())
        super().__init__(number, process, control, lambda _worker, _message, _descriptors: None)
        self._inbox: BlockingLink[ToHttpWorker] = BlockingLink(
            self._theirs, ToHttpWorker, "the test"
        )

    def told(self) -> list[object]:
        """The events that have come since the last look."""
        self._theirs.setblocking(False)
        try:
            messages = self._inbox.receive_some() or []
        except BlockingIOError:
            return []
        return [message.event for message, _ in messages if isinstance(message, Happened)]

    def close(self) -> None:
        self._link.close()
        self._inbox.close()


@asynccontextmanager
async def workers(count: int) -> AsyncIterator[list[Worker]]:
    made = [Worker(number) for number in range(count)]
    yield made
    for worker in made:
        worker.close()


@in_event_loop
async def test_the_one_that_serves_for_longest_is_told_and_after_it_the_next() -> None:
    async with workers(3) as (a, b, c):
        teller = Teller()
        for worker in (b, a):
            teller.serves(worker, hears_events=True)
        teller.tell(crash(1))
        teller.heard(a, crash(2))
        assert (a.told(), b.told()) == ([], [crash(1), crash(2)])
        teller.gone(b)
        teller.gone(c)
        teller.serves(c, hears_events=True)
        teller.tell(crash(3))
        assert (a.told(), b.told(), c.told()) == ([crash(3)], [], [])


@in_event_loop
async def test_all_of_them_switch_and_one_switch_is_told() -> None:
    async with workers(2) as (a, b):
        teller = Teller()
        for worker in (a, b):
            teller.serves(worker, hears_events=True)
        for worker in (b, a):
            teller.heard(worker, SWITCH)
        assert (a.told(), b.told()) == ([SWITCH], [])


@in_event_loop
async def test_what_happens_while_none_serves_waits_for_the_next() -> None:
    async with workers(2) as (a, b):
        teller = Teller()
        teller.tell(crash(1))
        teller.serves(a, hears_events=True)
        teller.gone(a)
        teller.tell(crash(2))
        teller.tell(crash(3))
        teller.serves(b, hears_events=True)
        assert (a.told(), b.told()) == ([crash(1)], [crash(2), crash(3)])


@in_event_loop
async def test_nothing_is_sent_where_nobody_listens() -> None:
    async with workers(1) as (a,):
        teller = Teller()
        teller.tell(crash(1))
        teller.serves(a, hears_events=False)
        teller.tell(crash(2))
        assert a.told() == []


@in_event_loop
async def test_an_event_that_cannot_be_sent_is_an_error_of_who_tells_it() -> None:
    async with workers(1) as (a,):
        teller = Teller()
        teller.serves(a, hears_events=True)
        with pytest.raises(TypeError, match="cannot be sent"):
            teller.tell(crash("a lot"))  # type: ignore[arg-type]
