"""Seat: the pool's record of one servable."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import msgspec

from tfaas_core.engine.base import Candidate, Loaded, ServableStatus
from tfaas_core.engine.in_parent.model_processes import ModelProcess
from tfaas_core.engine.in_parent.shortage import short_of
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.engine.shared.mode import Mode
from tfaas_core.engine.shared.suspect import details_of, named, process_died
from tfaas_core.errors import (
    SEE_LOG,
    CannotServe,
    ModelLost,
    TfaasError,
    Unavailable,
    UnknownVersion,
)
from tfaas_core.events import ModelCrashed, ModelLoaded, ModelUnloaded
from tfaas_core.system.lives.ending import Ending
from tfaas_core.system.lives.stopped import Stopped
from tfaas_core.system.output.one_line import described
from tfaas_core.withheld import without_folders

_ENDING_KNOWN_S = 2.0
"""More than it takes until how a process ended is known, if anybody knows it."""


def _future() -> asyncio.Future[str]:
    return asyncio.get_running_loop().create_future()


class Seat(msgspec.Struct):
    """One servable, from the moment that it is wanted. ``owner``: the worker that prepares it.
    ``plugin``: the module of the plugin that is to blame if its process ends, if there is one.

    ``mergeable``: see Load, and ``shared_rows``, found out with it: see Loaded. ``waiting``: how
    many wait to be connected to it; they are, even if it is leaving.
    ``stuck``: its process is being killed, because it does not get on. ``made_up``: whether made-up
    values may warm it up; while ``giving_up``, its process is being killed, because they do not
    end, and ``given_up`` is set when that is gone. ``stuck_looks``, ``looks``, ``stopped``,
    ``turns`` and ``silent_looks``: see Watch.
    ``ending``: how its process has ended, once that is known; ``ended`` is set then.
    ``is_begun``: whether its process has come to load it, after all that the server does there.
    ``is_told``: whether observers know that it is loaded. ``why_leaving``: see ModelUnloaded.
    ``far_users``: the workers of other machines that were connected to it.
    ``mode``: in which it is run, once that is known. ``trial``: finds it out.
    ``switched``: why an accelerator does not run it, although it was told to; empty: it does.
    """

    ticket: int
    candidate: Candidate
    meter: Meter
    loaded: asyncio.Future[Loaded]
    owner: int | None = None
    plugin: str = ""
    mergeable: bool | None = None
    shared_rows: tuple[int, ...] = ()
    process: ModelProcess | None = None
    leaving: bool = False
    stuck: bool = False
    stuck_looks: int = 0
    made_up: bool = True
    giving_up: bool = False
    given_up: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    looks: int = 0
    stopped: Stopped = msgspec.field(default_factory=Stopped)
    turns: int = 0
    silent_looks: int = 0
    waiting: int = 0
    born_s: float = 0.0
    wanted_s: float = msgspec.field(default_factory=time.monotonic)
    pid: int | None = None
    ending: Ending | None = None
    ended: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    is_begun: bool = False
    is_told: bool = False
    why_leaving: str = ""
    far_users: set[int] = msgspec.field(default_factory=set)
    mode: Mode = Mode()
    trial: asyncio.Future[Mode] | None = None
    switched: asyncio.Future[str] = msgspec.field(default_factory=_future)

    def __str__(self) -> str:
        return str(self.candidate)

    @property
    def blamed(self) -> str:
        """It, and the plugin that is to blame for it, for the log."""
        return named(str(self), self.plugin)

    @property
    def _model(self) -> str:
        return named(f"model {self.candidate.name!r}", self.plugin)

    @property
    def _details(self) -> dict[str, str]:
        return details_of(self.candidate.name, self.plugin)

    @property
    def used_s(self) -> float:
        """When it was used last, or else loaded; 0: it is not loaded yet."""
        return max(self.meter.last_used_ns() / 1e9, self.born_s)

    @property
    def is_lost(self) -> bool:
        """Whether its process is gone, however that ended."""
        return self.process is not None and self.process.handle is None

    @property
    def is_ready(self) -> bool:
        """Whether it is loaded, and takes requests."""
        loaded = self.loaded
        if not loaded.done() or loaded.cancelled() or loaded.exception() is not None:
            return False
        return self.process is not None and not self.is_lost and not self.leaving

    def how(self) -> tuple[str, str, int, str, int]:
        """Its mode, and why that; and its threads, executor and shared rows, once known."""
        mode, found = self.mode, self.loaded.result() if self.is_ready else None
        if found is None:
            return mode.name, mode.reason, 0, "", 0
        shared_rows = found.shared_rows[0] if found.shared_rows else 0
        return mode.name, mode.reason, found.threads, found.executor, shared_rows

    def leave(self, why: str) -> None:
        """No new request goes there; ``why``: see ModelUnloaded."""
        self.leaving, self.why_leaving = True, why
        self.end_trial()

    def give_up_warm_up(self) -> None:
        """Its process was killed in a run of made-up values; another one loads it without them."""
        self.process = None
        self.giving_up = False
        self.meter.run_ends()
        self.given_up.set()

    def end_trial(self) -> None:
        """If its mode is being found out: it is run as usual, and what was begun for that ends."""
        if self.trial is not None:
            self.trial.cancel()

    def status(self) -> ServableStatus:
        """How it is; what its process costs is not looked up yet."""
        state = "leaving" if self.leaving else "ready" if self.loaded.done() else "loading"
        handle = self.process.handle if self.process else None
        used_s = self.used_s
        return ServableStatus(
            model=self.candidate.key.partition(" ")[0] or self.candidate.name,
            state=state,
            pid=handle.pid if handle else None,
            private_bytes=None,
            rows_in_flight=self.meter.rows(),
            idle_s=round(time.monotonic() - used_s, 3) if used_s else 0.0,
        )

    def loaded_event(self) -> ModelLoaded:
        """What observers are told of a stored version that is loaded."""
        candidate, version = self.candidate, self._version
        assert version is not None
        return ModelLoaded(
            model=candidate.name,
            version=version,
            runtime=candidate.runtime,
            pid=self.pid,
            duration_s=self.born_s - self.wanted_s,
        )

    def unloaded_event(self) -> ModelUnloaded:
        """What they are told when it is there no more, if they were told that it is."""
        name, version = self.candidate.name, self._version
        assert version is not None
        reason = self.why_leaving
        return ModelUnloaded(model=name, version=version, pid=self.pid, reason=reason)

    def crashed_event(self, ending: str) -> ModelCrashed:
        """What they are told instead of that if nobody wanted it to go."""
        return ModelCrashed(
            model=self.candidate.name,
            version=self._version,
            pid=self.pid,
            ending=ending,
            was_loaded=self.is_told,
        )

    @property
    def _version(self) -> int | None:
        """Its number; None for an upload."""
        reference = self.candidate.key.partition(" ")[0]
        return int(reference.rpartition("/")[2]) if reference else None

    def too_slow(self, limit_s: float) -> TfaasError:
        """The error of a load that did not end in time."""
        message = f"{self._model} did not load and warm up within {limit_s:g} s"
        return CannotServe(message, **self._details)

    def not_started(self, limit_s: float) -> Unavailable:
        """The error of a load that did not even get a process in time."""
        return Unavailable(
            f"no process for {self._model} could be started within {limit_s:g} s; try again",
            **self._details,
        )

    def without_room(self, limit_s: float) -> Unavailable:
        """The error of a load that others left no memory for in time."""
        return Unavailable(
            f"within {limit_s:g} s, the other models left no memory for {self._model}; try again",
            **self._details,
        )

    def cannot_load(self, error: Exception) -> TfaasError:
        """The error of a load that the engine itself could not order; ``error`` is logged."""
        if isinstance(error, OSError):
            return short_of(error, f"load model {self.candidate.name!r}")
        reason = f"{without_folders(described(error))}{SEE_LOG}"
        name = self.candidate.name
        return TfaasError(f"the engine failed to load model {name!r}: {reason}", model=name)

    def buried(self, ending: Ending) -> None:
        """Its process has ended like that; with code 0, perhaps the servable alone."""
        self.ending = ending
        self.ended.set()

    async def is_to_blame(self) -> bool:
        """Whether it has ended by itself; waits a moment until that is known."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_KNOWN_S):
                await self.ended.wait()
        return self.ending is not None and not self.ending.is_from_outside

    def gone(self) -> ModelLost:
        """The error of a process that was gone before it could be connected to."""
        return process_died(self.candidate.name, self.plugin)

    def lost(self, ending: Ending) -> TfaasError:
        """The error of a process that is gone, and ended like that."""
        if self.loaded.done() or ending.is_from_outside:
            return ModelLost(f"the process of {self._model} {ending}; try again", **self._details)
        if not self.is_begun:
            return Unavailable(
                f"the process for {self._model} {ending} before it loaded it; try again{SEE_LOG}",
                **self._details,
            )
        return CannotServe(
            f"{self._model} makes its process crash on loading: it {ending}", **self._details
        )


def replaced(candidate: Candidate) -> UnknownVersion:
    """The error of a stored version that was not loaded yet when a newer one was stored."""
    reference = candidate.key.partition(" ")[0]
    return UnknownVersion(f"version {reference} was replaced before it was loaded")
