"""Accelerations: finds out beside serving what accelerators may run, and has them run it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from hashlib import sha256

import msgspec

from tfaas_core.engine.in_parent.accelerating.conversion_cache import (
    CachedConversion,
    ConversionCache,
)
from tfaas_core.engine.in_parent.accelerating.conversions import Conversions
from tfaas_core.engine.in_parent.cache_entry import entry_name
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.shared.acceleration import Acceleration, AccelerationOrder
from tfaas_core.engine.shared.acceleration_messages import Accelerate, Switch
from tfaas_core.engine.shared.mode import with_threads
from tfaas_core.runtime import Accelerator, CannotAccelerate, LoadOptions
from tfaas_core.system.loop.tasks import Tasks
from tfaas_core.system.output.one_line import described

_GONE = "it is not loaded any more"
_SWITCH_LIMIT_S = 60.0
_MOST_DEATHS = 2
"""Of processes in which an accelerator ran a version: then the first engine has it to itself."""

_log = logging.getLogger("tfaas.engine")


class _Tried(msgspec.Struct):
    """A process of a version. ``runs``: the engine that runs it there, and why, once that is known.
    ``is_told``: whether it was told to have the accelerator run it, and has not refused."""

    seat: Seat
    runs: tuple[str, str] | None = None
    is_told: bool = False

    @property
    def is_gone(self) -> bool:
        return self.seat.leaving or self.seat.is_lost or self.seat.ended.is_set()

    async def died_of_it(self) -> bool:
        """Whether it died while the accelerator ran it, or began to, and nobody else killed it."""
        seat = self.seat
        if not self.is_told or seat.leaving:
            return False
        is_to_blame = await seat.is_to_blame() or seat.stuck
        return is_to_blame or (seat.ending is not None and seat.ending.out_of_memory)


class _Version(msgspec.Struct):
    wish: Accelerate
    processes: list[_Tried] = msgspec.field(default_factory=list)


class Accelerations:
    """What runs each version, and why; one is tried at a time.

    All methods belong to the event loop.
    """

    def __init__(
        self, conversions: Conversions, cache: ConversionCache, options: LoadOptions
    ) -> None:
        self._conversions = conversions
        self._cache = cache
        self._options = options
        self._versions: dict[str, _Version] = {}
        self._deaths: Counter[str] = Counter()
        self._turn = asyncio.Lock()
        self._tasks = Tasks(_log)

    def begin(self, seat: Seat, wish: Accelerate) -> None:
        """Has an accelerator run the version that is loaded in ``seat``, once that is proven."""
        if self._tried(seat) is None:
            version = self._versions.setdefault(wish.key, _Version(wish))
            version.wish = wish
            self._begin(seat, version)

    def join(self, seat: Seat) -> None:
        """A further process of a version is loaded in ``seat``: it is run as in the first one."""
        version = self._versions.get(seat.candidate.key)
        if version is not None:
            self._begin(seat, version)

    def retire(self, key: str) -> None:
        """The version is not served any more."""
        self._versions.pop(key, None)
        self._deaths.pop(key, None)

    def runs(self, seat: Seat) -> tuple[str, str] | None:
        """The engine that runs the version in ``seat``, and why; None if nobody asked for it."""
        tried = self._tried(seat)
        return tried.runs if tried is not None else None

    async def close(self) -> None:
        await self._tasks.cancel()

    def _tried(self, seat: Seat) -> _Tried | None:
        version = self._versions.get(seat.candidate.key)
        processes = version.processes if version is not None else ()
        return next((tried for tried in processes if tried.seat is seat), None)

    def _begin(self, seat: Seat, version: _Version) -> None:
        tried = _Tried(seat)
        version.processes.append(tried)
        self._tasks.spawn(self._accelerate(tried, version.wish))

    async def _forget_those_gone(self) -> None:
        """With the wishes of versions that are loaded no more; deaths are remembered."""
        gone: list[tuple[str, _Tried]] = []
        for key, version in list(self._versions.items()):
            gone += [(key, tried) for tried in version.processes if tried.is_gone]
            version.processes = [tried for tried in version.processes if not tried.is_gone]
            if not version.processes:
                del self._versions[key]
        for key, tried in gone:
            if await tried.died_of_it():
                self._deaths[key] += 1

    async def _accelerate(self, tried: _Tried, wish: Accelerate) -> None:
        seat = tried.seat
        accelerator = self._conversions.accelerator(seat.candidate.runtime)
        if accelerator is None:
            tried.runs = ("", "its runtime has no second engine")
            return
        first = accelerator.first
        tried.runs = (first, f"{accelerator.name} is being tried")
        await self._forget_those_gone()
        try:
            found = await self._switched(accelerator, tried, wish)
            tried.runs = (found.runs, found.reason)
        except CannotAccelerate as error:
            tried.runs = (first, f"{accelerator.name} does not run it: {error}")
        except Exception as error:  # the disk's, say, or a plugin's
            why = error.strerror if isinstance(error, OSError) else described(error)
            tried.runs = (first, f"{accelerator.name} could not be tried: {why}")
        if not tried.is_gone:
            _log.info("%s: %s runs it: %s", seat, *tried.runs)

    async def _switched(
        self, accelerator: Accelerator, tried: _Tried, wish: Accelerate
    ) -> Acceleration:
        """What was found out; if it is no refusal, the accelerator runs the seat's servable now."""
        if self._deaths[wish.key] >= _MOST_DEATHS:
            raise CannotAccelerate(f"its process died {_MOST_DEATHS} times while it did")
        cached = await self._found(accelerator, tried.seat, wish)
        try:
            if not cached.found.refusal:
                await self._switch(tried, cached)
            return cached.found
        finally:
            os.close(cached.descriptor)

    async def _found(
        self, accelerator: Accelerator, seat: Seat, wish: Accelerate
    ) -> CachedConversion:
        name = await asyncio.to_thread(self._entry_name, accelerator, seat, wish)
        cached = await asyncio.to_thread(self._cache.find, name)
        if cached is not None:
            return cached
        async with self._turn:
            cached = await asyncio.to_thread(self._cache.find, name)
            if cached is None:
                cached = await self._converted(accelerator, seat, wish, name)
        return cached

    async def _converted(
        self, accelerator: Accelerator, seat: Seat, wish: Accelerate, name: str
    ) -> CachedConversion:
        if seat.leaving:
            raise CannotAccelerate(_GONE)
        made = await self._conversions.tried(accelerator, self._order(seat, wish), seat.mode.name)
        if made.found.passes:
            raise CannotAccelerate(made.found.refusal)
        await asyncio.to_thread(self._cache.add, name, made.found, made.pieces)
        cached = await asyncio.to_thread(self._cache.find, name)
        if cached is None:
            raise CannotAccelerate("its file in the cache was removed at once")
        return cached

    def _entry_name(self, accelerator: Accelerator, seat: Seat, wish: Accelerate) -> str:
        options, loaded = self._options_of(seat), seat.loaded.result()
        params = msgspec.json.encode(seat.candidate.params, order="sorted").decode()
        rows = f"{options.max_batch_rows} rows, {options.threads} threads, {seat.mode.name}"
        signature = msgspec.json.encode(
            [loaded.signature, loaded.mergeable, loaded.stateful]
        ).decode()
        examples = sha256(wish.examples).hexdigest()
        told = [accelerator.name, wish.checksum, params, rows, signature, examples]
        return entry_name([*accelerator.versions(), *told])

    def _order(self, seat: Seat, wish: Accelerate) -> AccelerationOrder:
        candidate = msgspec.structs.replace(seat.candidate, path=wish.path)
        loaded = seat.loaded.result()
        return AccelerationOrder.of(candidate, self._options_of(seat), loaded, wish.examples)

    def _options_of(self, seat: Seat) -> LoadOptions:
        return with_threads(self._options, seat.candidate, seat.mode)

    async def _switch(self, tried: _Tried, cached: CachedConversion) -> None:
        seat = tried.seat
        if seat.process is None or not seat.is_ready:
            raise CannotAccelerate(_GONE)
        order = Switch(seat.ticket, cached.start, cached.size_bytes, cached.found.most_rows)
        tried.is_told = True
        seat.process.link.send(order, (cached.descriptor,))
        try:
            refusal = await asyncio.wait_for(asyncio.shield(seat.switched), _SWITCH_LIMIT_S)
        except TimeoutError:
            raise CannotAccelerate("its process does not say that it does") from None
        if refusal:
            tried.is_told = False
            raise CannotAccelerate(refusal)
