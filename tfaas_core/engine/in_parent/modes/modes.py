"""Modes: in which of its runtime's modes each version is run, and with how many threads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from tfaas_core.engine.base import Candidate
from tfaas_core.engine.in_parent.modes.mode_cache import ModeCache
from tfaas_core.engine.in_parent.modes.mode_trials import Fits, ModeTrials, fits_always
from tfaas_core.engine.shared.mode import AUTO, USUAL, Mode, unmeasured
from tfaas_core.errors import CannotServe
from tfaas_core.models.params import Params
from tfaas_core.runtime import Runtime
from tfaas_core.system.output.one_line import described

_MOST_KNOWN = 10_000
_NOT_NOW = (OSError, RuntimeError)
"""Of a cache: the disk refuses, or no thread can be started."""

_log = logging.getLogger("tfaas.engine")


class Modes:
    """``wanted`` is the mode of models whose params name none; AUTO: the fastest is found out.

    What was found out of a version is kept, so that each of its processes gives the same bits: by
    ``cache``, if there is one and it lasts, and else until this process ends. One is tried at a
    time; whoever waits for longer than a trial may take is not tried. All methods belong to the
    event loop.
    """

    def __init__(
        self,
        wanted: str,
        runtimes: Mapping[str, Runtime],
        trials: ModeTrials,
        cache: ModeCache | None = None,
    ) -> None:
        self._wanted = wanted
        self._runtimes = runtimes
        self._trials = trials
        self._cache = cache
        self._known: dict[str, Mode] = {}
        self._turn = asyncio.Lock()

    async def of(self, candidate: Candidate, threads: int, fits: Fits = fits_always) -> Mode:
        """The mode to load it in; waits until it is known.

        ``threads``: see LoadOptions; ``fits``: see Fits. Raises CannotServe if its params name a
        mode that its runtime does not have.
        """
        if (known := await self._untried(candidate, threads)) is not None:
            return known
        limit_s = self._trials.limit_s
        try:
            async with asyncio.timeout(limit_s):
                await self._turn.acquire()
        except TimeoutError:
            why = f"others have been tried for longer than {limit_s:g} s"
            return await self.untried(candidate, threads, why)
        try:
            return await self._found(candidate, threads, fits)
        finally:
            self._turn.release()

    async def untried(self, candidate: Candidate, threads: int, why: str) -> Mode:
        """The mode of one that cannot be tried, for ``why``: what is known of it, or as usual.

        It is kept, since all its processes are to answer so. Raises CannotServe as ``of`` does.
        """
        if (known := await self._untried(candidate, threads)) is not None:
            return known
        found = unmeasured(threads, why)
        await self.keep(candidate.key, found)
        return found

    async def _untried(self, candidate: Candidate, threads: int) -> Mode | None:
        """What is said of it, or was found out before; None if that takes a trial."""
        params, modes = Params.of(candidate.params), self._runtimes[candidate.runtime].modes
        if (params.mode or self._wanted) != AUTO:
            return self._named(candidate, params.mode, modes)
        if not modes:
            return Mode(reason="its runtime has no other mode")
        return await self._kept(candidate.key, threads, modes)

    async def _found(self, candidate: Candidate, threads: int, fits: Fits) -> Mode:
        found = await self._untried(candidate, threads)
        if found is None:
            found = await self._trials.fastest(candidate, threads, fits)
            _log.info("%s: its mode is %s: %s", candidate, found.name, found.reason)
            await self.keep(candidate.key, found)
        return found

    async def keep(self, key: str, mode: Mode) -> None:
        """What was found out is the mode of the version of this key from now on.

        Empty: of none yet. What cannot be written is logged.
        """
        if not key or mode.found_for is None:
            return
        self._known[key] = mode
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        try:
            if self._cache is not None and mode.lasts:
                await asyncio.to_thread(self._cache.keep, key, mode)
        except _NOT_NOW as error:
            _log.warning("a mode cannot be kept in engine.mode_cache: %s", described(error))

    def _named(self, candidate: Candidate, said: str, modes: Mapping[str, object]) -> Mode:
        if said:
            if said != USUAL and said not in modes:
                has = ", ".join([USUAL, AUTO, *modes])
                raise CannotServe(
                    f'params.mode is "{said}", but the runtime {candidate.runtime!r} has: {has}',
                    field="mode",
                )
            return Mode(said, reason="its params say so")
        if self._wanted in modes:
            return Mode(self._wanted, reason="engine.mode says so")
        return Mode()

    async def _kept(self, key: str, threads: int, modes: Mapping[str, object]) -> Mode | None:
        kept = self._known.get(key)
        if kept is None and key and self._cache is not None:
            try:
                kept = await asyncio.to_thread(self._cache.find, key)
            except _NOT_NOW as error:
                _log.warning("the mode of %s cannot be read: %s", key, described(error))
        if kept is None or kept.found_for != threads:
            return None
        return kept if kept.name in (USUAL, *modes) else None
