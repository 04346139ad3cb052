"""Accelerations: finds out beside serving what accelerators may run, and has them run it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter

import msgspec

from tfaas_core.engine.in_parent.conversion_cache import (
    CachedConversion,
    ConversionCache,
    entry_name,
)
from tfaas_core.engine.in_parent.conversions import Conversions
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.shared.acceleration import Acceleration, AccelerationOrder
from tfaas_core.engine.shared.acceleration_messages import Accelerate, Switch
from tfaas_core.runtime import Accelerator, CannotAccelerate, LoadOptions
from tfaas_core.system.one_line import described
from tfaas_core.system.tasks import Tasks

_GONE = "it is not loaded any more"
_SWITCH_LIMIT_S = 60.0
_MOST_DEATHS = 2
"""Of processes in which an accelerator ran a version: then the first engine has it to itself."""

_log = logging.getLogger("tfaas.engine")


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
        self._seats: dict[str, list[Seat]] = {}
        self._wishes: dict[str, Accelerate] = {}
        self._runs: dict[str, tuple[str, str]] = {}
        self._deaths: Counter[str] = Counter()
        self._turn = asyncio.Lock()
        self._tasks = Tasks(_log)

    def begin(self, seat: Seat, wish: Accelerate) -> None:
        """Has an accelerator run the version that is loaded in ``seat``, once that is proven."""
        if self._knows(seat):
            return
        self._count_deaths(wish.key)
        self._seats[wish.key] = [seat]
        self._wishes[wish.key] = wish
        self._runs.pop(wish.key, None)
        self._tasks.spawn(self._accelerate(seat, wish))

    def join(self, seat: Seat) -> None:
        """A further process of a version is loaded in ``seat``: it is run as in the first one."""
        key = seat.candidate.key
        wish = self._wishes.get(key)
        if wish is not None:
            self._count_deaths(key)
            self._seats[key].append(seat)
            self._tasks.spawn(self._accelerate(seat, wish))

    def retire(self, key: str) -> None:
        """The version is not served any more."""
        self._seats.pop(key, None)
        self._wishes.pop(key, None)
        self._runs.pop(key, None)
        self._deaths.pop(key, None)

    def runs(self, seat: Seat) -> tuple[str, str] | None:
        """The engine that runs the version in ``seat``, and why; None if nobody asked for it."""
        return self._runs.get(seat.candidate.key) if self._knows(seat) else None

    async def close(self) -> None:
        await self._tasks.cancel()

    def _knows(self, seat: Seat) -> bool:
        return any(known is seat for known in self._seats.get(seat.candidate.key, ()))

    def _count_deaths(self, key: str) -> None:
        """Of processes in which the accelerator ran the version; none that is gone is kept."""
        before = self._seats.get(key, [])
        lost = [seat for seat in before if seat.is_lost and not seat.leaving]
        self._deaths[key] += sum(seat.switched.done() for seat in lost)
        self._seats[key] = [seat for seat in before if not seat.is_lost and not seat.leaving]

    async def _accelerate(self, seat: Seat, wish: Accelerate) -> None:
        accelerator = self._conversions.accelerator(seat.candidate.runtime)
        if accelerator is None:
            self._runs[wish.key] = ("", "its runtime has no second engine")
            return
        first = accelerator.first
        self._runs.setdefault(wish.key, (first, f"{accelerator.name} is being tried"))
        try:
            found = await self._switched(accelerator, seat, wish)
            runs, reason = found.runs, found.reason
        except CannotAccelerate as error:
            runs, reason = first, f"{accelerator.name} does not run it: {error}"
        except Exception as error:  # the disk's, say, or a plugin's
            why = error.strerror if isinstance(error, OSError) else described(error)
            runs, reason = first, f"{accelerator.name} could not be tried: {why}"
        if self._knows(seat):
            _log.info("%s: %s runs it: %s", seat, runs, reason)
            self._runs[wish.key] = (runs, reason)

    async def _switched(
        self, accelerator: Accelerator, seat: Seat, wish: Accelerate
    ) -> Acceleration:
        """What was found out; if it is no refusal, the accelerator runs the seat's servable now."""
        if self._deaths[wish.key] >= _MOST_DEATHS:
            raise CannotAccelerate(f"its process died {_MOST_DEATHS} times while it did")
        cached = await self._found(accelerator, seat, wish)
        try:
            if not cached.found.refusal:
                await self._switch(seat, cached)
            return cached.found
        finally:
            os.close(cached.descriptor)

    async def _found(
        self, accelerator: Accelerator, seat: Seat, wish: Accelerate
    ) -> CachedConversion:
        parts = self._parts(accelerator, seat, wish)
        name = await asyncio.to_thread(entry_name, parts)
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
        made = await self._conversions.tried(accelerator, self._order(seat, wish))
        await asyncio.to_thread(self._cache.add, name, made.found, made.content)
        cached = await asyncio.to_thread(self._cache.find, name)
        if cached is None:
            raise CannotAccelerate("its file in the cache was removed at once")
        return cached

    def _parts(self, accelerator: Accelerator, seat: Seat, wish: Accelerate) -> list[str]:
        options = self._options
        params = msgspec.json.encode(seat.candidate.params, order="sorted").decode()
        rows = f"{options.max_batch_rows} rows, {options.threads} threads"
        signature = msgspec.json.encode(seat.loaded.result().signature).decode()
        return [*accelerator.versions(), accelerator.name, wish.checksum, params, rows, signature]

    def _order(self, seat: Seat, wish: Accelerate) -> AccelerationOrder:
        loaded = seat.loaded.result()
        candidate = msgspec.structs.replace(
            seat.candidate, path=wish.path, batch=loaded.signature.batch
        )
        signature, mergeable = loaded.signature, loaded.mergeable
        return AccelerationOrder(candidate, self._options, signature, mergeable, wish.examples)

    async def _switch(self, seat: Seat, cached: CachedConversion) -> None:
        if seat.process is None or seat.leaving:
            raise CannotAccelerate(_GONE)
        order = Switch(seat.ticket, cached.start, cached.size_bytes, cached.found.most_rows)
        seat.process.link.send(order, (cached.descriptor,))
        try:
            refusal = await asyncio.wait_for(asyncio.shield(seat.switched), _SWITCH_LIMIT_S)
        except TimeoutError:
            raise CannotAccelerate("its process does not say that it does") from None
        if refusal:
            raise CannotAccelerate(refusal)
