"""ModeTrials: measures a model in each mode of its runtime, in confined processes, in turn."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TypeAlias

import msgspec

from tfaas_core.engine.base import Candidate
from tfaas_core.engine.in_model_process.mode_trial import try_mode
from tfaas_core.engine.in_parent.fork_servers import ForkServers
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
from tfaas_core.system.one_line import described, one_line
from tfaas_core.unreadable import UNREADABLE

_WORTH_TRYING_S = 50e-6
"""A run that takes less gains nothing by another mode than its own overhead."""

_ROUNDS = 6
_CLEARLY_FASTER, _NOT_SLOWER = 1.1, 0.95
_COMPUTES = 0.25
_MOST_HEAD_BYTES = 1 << 12
_MOST = 1024
"""Threads, or rows: a process that tells of more was taken over by its model."""

_Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class ModeTrials:
    """Finds out in which mode of its runtime a model is run the fastest.

    ``limit_s``: for all that it takes to choose; ``memory_bytes``: of each process; 0: no limit.
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

    async def fastest(self, candidate: Candidate, threads: int) -> Mode:
        """The mode that runs it clearly faster than the usual one; else that, and why.

        ``threads``: see LoadOptions. Whatever the model does, the processes have ended, and
        nothing is raised. If one fails, is killed, or takes too long, the mode does not last.
        """
        usual, lasts = Mode(USUAL, threads, found_for=threads), False
        options = msgspec.structs.replace(self._options, threads=threads)
        order = ModeOrder(candidate, options)
        try:
            async with asyncio.timeout(self.limit_s), AsyncExitStack() as until_found:
                first = await self._begun(until_found, order, USUAL)
                usual = msgspec.structs.replace(usual, threads=first.tried.threads or 1)
                if first.tried.run_s < _WORTH_TRYING_S:
                    why = f"a run takes {first.tried.run_s * 1e6:.0f} µs: too little"
                    raise CannotTry(why, lasts=True)
                return await self._compared(until_found, order, first, usual)
        except TimeoutError:
            why = f"trying takes longer than {self.limit_s:g} s"
        except (CannotTry, TfaasError, OSError) as error:
            why, lasts = _clause(error), isinstance(error, CannotTry) and error.lasts
        return msgspec.structs.replace(usual, reason=f"no other is tried: {why}", lasts=lasts)

    async def _compared(
        self, until_found: AsyncExitStack, order: ModeOrder, first: _Trial, usual: Mode
    ) -> Mode:
        best, best_times, said, lasts = usual, 1.0, [], True
        for name in self._runtimes[order.candidate.runtime].modes:
            try:
                other = await self._begun(until_found, order, name)
                speeds = await _speeds(first, other)
            except (CannotTry, TfaasError, OSError) as error:
                said.append(f"{name} cannot be tried: {_clause(error)}")
                lasts = False
                continue
            said.append(f"{name} is {' and '.join(map(str, speeds))}")
            times = math.prod(each.times for each in speeds) ** (1 / len(speeds))
            slowest = min(each.times for each in speeds)
            if times > max(best_times, _CLEARLY_FASTER) and slowest >= _NOT_SLOWER:
                threads = other.tried.threads or usual.threads
                best = msgspec.structs.replace(usual, name=name, threads=threads)
                best_times = times
        return msgspec.structs.replace(best, reason="; ".join(said), lasts=lasts)

    async def _begun(self, until_found: AsyncExitStack, order: ModeOrder, mode: str) -> _Trial:
        """A process that has loaded the model; it ends with the block. Raises CannotTry."""
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
        streams = await asyncio.open_connection(sock=ours)
        until_found.callback(streams[1].close)
        try:
            return _Trial(streams, await _tried(streams[0]))
        except asyncio.IncompleteReadError:
            raise CannotTry(f"its process {await process.how_it_ended()}") from None


def _clause(error: Exception) -> str:
    told = error.strerror if isinstance(error, OSError) else str(error)
    return one_line(told or described(error))[:MOST_REASON]


class _Trial:
    def __init__(self, streams: _Streams, tried: ModeTried) -> None:
        self._reader, self._writer = streams
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

    With as many threads, by what they take of the processor, if they compute for most of the time:
    other load matters less for that.
    """
    speeds = []
    for rows in sorted({1, min(first.tried.rows, other.tried.rows)}):
        rounds = [(await first.cost_s(rows), await other.cost_s(rows)) for _ in range(_ROUNDS)]
        first_s, other_s = (_least(side) for side in zip(*rounds, strict=True))
        same_threads = first.tried.threads == other.tried.threads
        computes = all(takes > _COMPUTES * lasts for lasts, takes in (first_s, other_s))
        which = int(same_threads and computes)
        speeds.append(Speed(rows, first_s[which] / other_s[which]))
    return speeds


def _least(costs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Of each of both, in seconds."""
    return min(lasts for lasts, _ in costs), min(takes for _, takes in costs)
