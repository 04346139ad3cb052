"""Sampler: looks at the server every two seconds, in one of its HTTP workers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from tfaas_core.errors import TfaasError
from tfaas_core.shared_memory import SharedMemory
from tfaas_core.system.output.one_line import described
from tfaas_plugins.metrics import families as f
from tfaas_plugins.metrics.counting import Counting
from tfaas_plugins.metrics.directory import try_lock
from tfaas_plugins.metrics.figures import Counts, Figures
from tfaas_plugins.metrics.gone_models import GoneModels
from tfaas_plugins.metrics.history import History, Sample
from tfaas_plugins.metrics.processes import LastLook, Look
from tfaas_plugins.metrics.shared import INTERVAL_S, LOCK_OF_SAMPLER

if TYPE_CHECKING:
    from tfaas_core.host import Host

_LOOK_S = 4.0
_LOOK_SHARE = 5.0
"""A look at many processes takes long, so it is had less often."""

_RESTARTED = ("fork_server", "decoder_server")
"""Kinds of processes that are replaced; of HTTP workers, each tells by itself."""

_log = logging.getLogger(__name__)


class Sampler:
    """Keeps the figures of its worker; and in one of all, the history and the look at processes.

    That one holds a lock, which another takes as soon as it ends.
    """

    def __init__(
        self,
        host: Host,
        memory: SharedMemory,
        figures: Figures,
        counting: Counting,
        gone: GoneModels,
    ) -> None:
        self._host = host
        self._memory = memory
        self._figures = figures
        self._counting = counting
        self._gone = gone
        self._history = History(memory)
        self._last_look = LastLook(memory)
        self._is_chosen = False
        self._next_look_s = 0.0
        self._before = (time.monotonic(), figures.totals())
        self._pids: dict[str, set[int]] = {}
        self._has_failed = False

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                self._figures.keep()
                if self._is_chosen or try_lock(self._memory.descriptor, LOCK_OF_SAMPLER):
                    self._is_chosen = True
                    await self._look()
                self._sample()
            except Exception as error:
                self._tell_of(error)
            else:
                self._has_failed = False
            await asyncio.sleep(INTERVAL_S - time.monotonic() % INTERVAL_S)

    def _tell_of(self, error: Exception) -> None:
        """Once, until it goes on."""
        is_usual = isinstance(error, TfaasError | OSError | RuntimeError)  # no thread is left, say
        if not self._has_failed:
            told = None if is_usual else error
            _log.warning("the server cannot be looked at: %s", described(error), exc_info=told)
        self._has_failed = True

    async def _look(self) -> None:
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return
        look = await Look.now(self._host)
        took_s = time.monotonic() - now_s
        self._next_look_s = now_s + max(_LOOK_S, took_s * _LOOK_SHARE) - INTERVAL_S / 2
        # It is measured anew each time, and must not move.
        start_s = self._last_look.read().start_s or look.start_s
        self._last_look.write(msgspec.structs.replace(look, start_s=start_s))
        self._note_restarts(look)
        self._gone.give_back()

    def _sample(self) -> None:
        """Those that are not chosen take note of where they are: they may be, the next time."""
        now_s, totals = time.monotonic(), self._figures.totals()
        seconds = now_s - self._before[0]
        if seconds < INTERVAL_S / 2:
            return
        before, self._before = self._before, (now_s, totals)
        if self._is_chosen:
            counts = self._figures.difference(totals, before[1])
            self._history.add(Sample.of(counts, seconds, self._last_look.read()))
            self._note_uses(counts)

    def _note_uses(self, counts: Counts) -> None:
        for (model,), cells in counts.of(f.DURATIONS):
            if model and cells[:-1].sum() > 0:
                self._counting.used(model, time.time())

    def _note_restarts(self, look: Look) -> None:
        for kind, pids in _by_kind(look).items():
            before = self._pids.get(kind)
            if before is not None and kind in _RESTARTED:
                for _pid in range(min(len(pids - before), len(before - pids))):
                    self._counting.restarted(kind)
            self._pids[kind] = pids


def _by_kind(look: Look) -> Mapping[str, set[int]]:
    kinds: dict[str, set[int]] = {}
    for process in look.processes:
        kinds.setdefault(process.kind, set()).add(process.pid)
    return kinds
