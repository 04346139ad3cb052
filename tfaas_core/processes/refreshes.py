"""Refreshes: telling every HTTP worker to look at the storage again, and waiting until all have."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterable, Mapping

import msgspec

from tfaas_core.processes.messages import FromWorker, Refresh, Refreshed
from tfaas_core.system.link import Link

_TIMEOUT_S = 10.0

_log = logging.getLogger("tfaas.parent")


class _Round(msgspec.Struct):
    """One call to all workers; ``waiting`` are the numbers of those that have not answered."""

    waiting: set[int]
    done: asyncio.Event
    all_could: bool = True


class Refreshes:
    """All methods belong to the event loop."""

    def __init__(self) -> None:
        self._rounds: dict[int, _Round] = {}
        self._calls = itertools.count()

    async def ask(self, links: Mapping[int, Link[FromWorker]], name: str) -> bool:
        """Has the workers behind ``links`` look up ``name``, or with "", everything.

        Returns, after ten seconds at most, whether all of them have done so.
        """
        call = next(self._calls)
        current = self._rounds[call] = _Round(set(links), asyncio.Event())
        for link in links.values():
            link.send(Refresh(call, name))
        self._end_where_all_answered([call])
        try:
            await asyncio.wait_for(current.done.wait(), _TIMEOUT_S)
        except TimeoutError:
            _log.warning("an HTTP worker is slow to take note of a change of %r", name)
        finally:
            del self._rounds[call]
        return current.all_could and not current.waiting

    def answered(self, worker: int, message: Refreshed) -> None:
        """A worker has answered."""
        current = self._rounds.get(message.call)
        if current is not None:
            current.waiting.discard(worker)
            current.all_could = current.all_could and message.could
            self._end_where_all_answered([message.call])

    def gone(self, worker: int) -> None:
        """A worker has died, and will not answer."""
        for current in self._rounds.values():
            current.waiting.discard(worker)
        self._end_where_all_answered(self._rounds)

    def _end_where_all_answered(self, calls: Iterable[int]) -> None:
        for call in calls:
            if not self._rounds[call].waiting:
                self._rounds[call].done.set()
