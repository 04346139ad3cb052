"""ModeTrials: measures a model in each mode of its runtime, in confined processes, in turn."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TypeAlias

import msgspec

from tfaas_core.engine.base import Candidate
from tfaas_core.engine.in_model_process.mode_trial import try_mode
from tfaas_core.engine.in_parent.fork_servers.fork_servers import ForkServers
from tfaas_core.engine.in_parent.modes.other_load import OtherLoad
from tfaas_core.engine.shared.acceleration import HEAD_BYTES, Speed
from tfaas_core.engine.shared.mode import (
    MOST_REASON,
    ROWS,
    SECONDS,
    USUAL,
    CannotTry,
    Mode,
    ModeOrder,
    ModeTried,
)
from tfaas_core.errors import TfaasError
from tfaas_core.runtime import LoadOptions, Runtime
from tfaas_core.system.output.one_line import described, one_line
from tfaas_core.texts.unreadable import UNREADABLE

_WORTH_TRYING_S = 50e-6
"""A run that takes less gains nothing by another mode than its own overhead."""

_ROUNDS = 6
_CLEARLY_FASTER, _NOT_SLOWER = 1.05, 0.95
_COMPUTES = 0.25
_MOST_HEAD_BYTES = 1 << 12
_MOST = 1024
"""Threads, or rows: a process that tells of more was taken over by its model."""

_Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

Fits: TypeAlias = Callable[[Collection[int], int], Awaitable[bool]]
"""Whether these processes, and so many further ones of the same model, have room in memory."""


async def fits_always(_pids: Collection[int], _further: int) -> bool:
    """Of a server that does not limit what models have together."""
    return True


class ModeTrials:
    """Finds out in which mode of its runtime a model is run the fastest.

    ``limit_s``: for all that it takes to choose; ``memory_bytes``: of each process; 0: as much as
    a model's may take.
    """

    def __init__(
        self,
        fork_servers: ForkServers,
        runtimes: Mapping[str, Runtime],
        options: LoadOptions,
        memory_bytes: int,
        limit_s: float,
    ) -> None:
        self._fork_servers = fork_servers
        self._runtimes = runtimes
        self._options = options
        self._memory_bytes = memory_bytes
        self.limit_s = limit_s

    async def fastest(self, candidate: Candidate, threads: int, fits: Fits = fits_always) -> Mode:
        """The mode that runs it clearly faster than the usual one; else that, and why.

        ``threads``: see LoadOptions. Whatever the model does, the processes have ended, and
        nothing is raised. If one fails, is killed, or takes too long, or there is no room for
        it, the mode does not last.
        """
        usual, lasts = Mode(USUAL, threads, found_for=threads), False
        options = msgspec.structs.replace(self._options, threads=threads)
        try:
            async with asyncio.timeout(self.limit_s), AsyncExitStack() as until_found:
                trying = _Trying(ModeOrder(candidate, options), fits, until_found)
                first = await self._begun(trying, USUAL)
                usual = msgspec.structs.replace(usual, threads=first.tried.threads or 1)
                if first.tried.run_s < _WORTH_TRYING_S:
                    why = f"a run takes {first.tried.run_s * 1e6:.0f} µs: too little"
                    raise CannotTry(why, lasts=True)
                return await self._compared(trying, first, usual)
        except TimeoutError:
            why = f"trying takes longer than {self.limit_s:g} s"
        except (CannotTry, TfaasError, OSError) as error:
            why, lasts = _clause(error), isinstance(error, CannotTry) and error.lasts
        return msgspec.structs.replace(usual, reason=f"no other is tried: {why}", lasts=lasts)

    async def _compared(self, trying: _Trying, first: _Trial, usual: Mode) -> Mode:
        best, best_times, said, lasts = usual, 1.0, [], True
        for name in self._runtimes[trying.order.candidate.runtime].modes:
            try:
                other = await self._begun(trying, name)
                speeds = await _speeds(first, other)
            except (CannotTry, TfaasError, OSError) as error:
                said.append(f"{name} cannot be tried: {_clause(error)}")
                lasts = False
                continue
            said.append(f"{name} is {' and '.join(map(str, speeds))}{_threads(first, other)}")
            times = math.prod(each.times for each in speeds) ** (1 / len(speeds))
            slowest = min(each.times for each in speeds)
            if times > max(best_times, _CLEARLY_FASTER) and slowest >= _NOT_SLOWER:
                threads = other.tried.threads or usual.threads
                best = msgspec.structs.replace(usual, name=name, threads=threads)
                best_times = times
        return msgspec.structs.replace(best, reason="; ".join(said), lasts=lasts)

    async def _begun(self, trying: _Trying, mode: str) -> _Trial:
        """A process that has loaded the model; it ends with the block. Raises CannotTry."""
        await trying.check_room(further=1)
        order, until_found = trying.order, trying.until_found
        ours, theirs = socket.socketpair()
        until_found.callback(ours.close)
        with theirs:
            process = await self._fork_servers.start(
                theirs,
                order.candidate.runtime,
                partial(try_mode, order),
                order.candidate.path,
                self._memory_bytes,
                mode=mode,
            )
        until_found.callback(process.kill)
        trying.pids.append(process.pid)
        streams = await asyncio.open_connection(sock=ours)
        until_found.callback(streams[1].close)
        try:
            trial = _Trial(streams, process.pid, await _tried(streams[0]))
        except asyncio.IncompleteReadError:
            raise CannotTry(f"its process {await process.how_it_ended()}") from None
        await trying.check_room()
        return trial


def _threads(first: _Trial, other: _Trial) -> str:
    """With how many each was measured, as far as they say it."""
    own, usual = other.tried.threads, first.tried.threads
    if not (own and usual):
        return ""
    told = f", with {own} thread{'s' * (own != 1)}"
    return told if own == usual else f"{told}, where {USUAL} has {usual}"


class _Trying(msgspec.Struct):
    """A model that is tried: what is loaded, and in which processes, ``until_found``."""

    order: ModeOrder
    fits: Fits
    until_found: AsyncExitStack
    pids: list[int] = []

    async def check_room(self, further: int = 0) -> None:
        """Raises CannotTry if its processes, and so many more, have more memory than there is."""
        if not await self.fits(self.pids, further):
            raise CannotTry("engine.max_memory_bytes leaves no room for another process")


def _clause(error: Exception) -> str:
    told = error.strerror if isinstance(error, OSError) else str(error)
    return one_line(told or described(error))[:MOST_REASON]


class _Trial:
    def __init__(self, streams: _Streams, pid: int, tried: ModeTried) -> None:
        self._reader, self._writer = streams
        self.pid = pid
        self.tried = tried

    async def cost_s(self, rows: int) -> tuple[float, float]:
        """How long a run of so many rows lasts, and what processor time it takes.

        Raises CannotTry.
        """
        self._writer.write(ROWS.pack(rows))
        try:
            found = SECONDS.unpack(await self._reader.readexactly(SECONDS.size))
        except asyncio.IncompleteReadError:
            raise CannotTry("its process ends while it is measured") from None
        if not all(0 < each_s < math.inf for each_s in found):
            raise CannotTry("its process says what nobody understands")
        return found


async def _tried(reader: asyncio.StreamReader) -> ModeTried:
    size = int.from_bytes(await reader.readexactly(HEAD_BYTES))
    try:
        if size > _MOST_HEAD_BYTES:
            raise msgspec.DecodeError
        told = msgspec.msgpack.decode(await reader.readexactly(size), type=ModeTried)
    except UNREADABLE:
        raise CannotTry("its process says what nobody understands") from None
    if told.refusal:
        raise CannotTry(told.refusal, told.lasts)
    threads, rows = max(0, min(told.threads, _MOST)), max(1, min(told.rows, _MOST))
    return msgspec.structs.replace(told, threads=threads, rows=rows)


async def _speeds(first: _Trial, other: _Trial) -> list[Speed]:
    """How many times as fast the other one is. Both run in turn, beside the same load.

    What counts is the clock, since threads that wait for each other take processor time, too. It is
    processor time only if other load is felt, which changes that less, both have as many threads,
    and both compute for a good part of the time.
    """
    speeds = []
    same_threads = first.tried.threads == other.tried.threads
    for rows in sorted({1, min(first.tried.rows, other.tried.rows)}):
        load = OtherLoad([first.pid, other.pid])
        rounds = [(await first.cost_s(rows), await other.cost_s(rows)) for _ in range(_ROUNDS)]
        first_s, other_s = (_least(side) for side in zip(*rounds, strict=True))
        computes = all(takes > _COMPUTES * lasts for lasts, takes in (first_s, other_s))
        which = int(same_threads and computes and load.is_felt())
        speeds.append(Speed(rows, first_s[which] / other_s[which]))
    return speeds


def _least(costs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Of each of both, in seconds."""
    return min(lasts for lasts, _ in costs), min(takes for _, takes in costs)
