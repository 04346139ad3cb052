"""Loader: has a process load and warm up what a seat is for."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec

from tfaas_core.engine.in_parent.memory_room import MemoryRoom
from tfaas_core.engine.in_parent.model_processes import ModelProcesses
from tfaas_core.engine.in_parent.modes.modes import Modes
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.in_parent.settings import PoolSettings
from tfaas_core.engine.scheduling.slow_runs import SlowRuns
from tfaas_core.engine.shared.messages import Load
from tfaas_core.engine.shared.mode import Mode, with_threads

LOAD_TIMEOUT_S = 120.0
"""For loading and warming one model, the start of a process included."""


class Loader:
    """Loads seats: once more, without made-up values, if these are given up."""

    def __init__(
        self,
        settings: PoolSettings,
        processes: ModelProcesses,
        slow_runs: SlowRuns,
        memory: MemoryRoom,
    ) -> None:
        self._settings = settings
        self._processes = processes
        self._slow_runs = slow_runs
        self._memory = memory

    async def load(self, seat: Seat) -> None:
        """Returns once the seat is loaded, or is known not to be. Raises CannotServe, Unavailable.

        A process that takes too long is ended before anybody hears of it.
        """
        if (modes := self._settings.modes) is not None and not seat.loaded.done():
            seat.mode = await self._mode_of(seat, modes)
        if seat.loaded.done():
            return  # everybody who wanted it has gone while it waited for its turn, or was tried
        try:
            await self._load(seat)
            if seat.given_up.is_set():
                seat.made_up = False
                await self._load(seat)
        except TimeoutError:
            if seat.process is None:
                raise seat.not_started(LOAD_TIMEOUT_S) from None
            seat.process.kill()
            raise seat.too_slow(LOAD_TIMEOUT_S) from None

    async def _mode_of(self, seat: Seat, modes: Modes) -> Mode:
        is_alone = self._settings.instances_of(seat.candidate) == 1
        said = with_threads(self._settings.options, seat.candidate, Mode()).threads
        threads = said or (0 if is_alone else 1)
        fits = partial(self._memory.tries, seat)
        seat.trial = asyncio.ensure_future(modes.of(seat.candidate, threads, fits))
        try:
            await asyncio.wait([seat.trial])
        finally:
            seat.trial.cancel()
            self._memory.has_tried(seat)
        if seat.trial.cancelled():
            if seat.loaded.done():
                return Mode()  # nobody is going to run it
            why = "it is leaving" if seat.leaving else "others need the memory that this takes"
            return await modes.untried(seat.candidate, threads, why)
        return seat.trial.result()

    async def _load(self, seat: Seat) -> None:
        seat.given_up.clear()
        seat.is_begun = False
        async with asyncio.timeout(LOAD_TIMEOUT_S):
            process = await self._processes.take(seat.ticket, seat.candidate, seat.mode.name)
            if seat.loaded.done():
                # Everybody who wanted it has gone meanwhile.
                self._processes.give_back(process, seat.ticket)
                return
            seat.process = process
            seat.pid = process.handle.pid if process.handle else None
            descriptors = (seat.meter.descriptor, self._slow_runs.descriptor)
            process.link.send(self._order(seat), descriptors)
            given_up: asyncio.Future[Any] = asyncio.ensure_future(seat.given_up.wait())
            either: list[asyncio.Future[Any]] = [seat.loaded, given_up]
            try:
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            finally:
                given_up.cancel()

    def _order(self, seat: Seat) -> Load:
        plugin = self._settings.owners.get(seat.candidate.runtime, "")
        options = with_threads(self._settings.options, seat.candidate, seat.mode)
        if seat.mergeable is not None:
            # It is one of several, which share the cores: nothing is to be measured.
            options = msgspec.structs.replace(options, threads=options.threads or 1)
        return Load(
            ticket=seat.ticket,
            candidate=seat.candidate,
            options=options,
            made_up=seat.made_up,
            plugin=plugin,
            adds_up=self._settings.instances_of(seat.candidate) != 1,
            mergeable=seat.mergeable,
            shared_rows=seat.shared_rows,
        )
