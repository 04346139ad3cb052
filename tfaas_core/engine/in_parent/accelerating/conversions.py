"""Conversions: have an accelerator try a model, in a confined process that is bounded."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import closing
from functools import partial

import msgspec

from tfaas_core.engine.in_model_process.accelerating.converting import convert_and_try
from tfaas_core.engine.in_parent.fork_servers.fork_servers import ForkServers
from tfaas_core.engine.in_parent.starter import ProcessHandle
from tfaas_core.engine.shared.acceleration import HEAD_BYTES, Acceleration, AccelerationOrder
from tfaas_core.engine.shared.mode import USUAL
from tfaas_core.errors import Unavailable
from tfaas_core.runtime import Accelerator, CannotAccelerate, Runtime
from tfaas_core.system.output.one_line import one_line
from tfaas_core.texts.unreadable import UNREADABLE

TRIAL_LIMIT_S = 120.0
"""For converting, comparing and measuring one model, by a process that gives way to all others."""

MOST_MEMORY_BYTES = 4 * 2**30
"""Of this process, beyond what all models' processes share."""

MOST_CONVERTED_BYTES = 512 * 2**20

_MOST_HEAD_BYTES = 1 << 16
_MOST_REASON = 300
_MOST_SPEEDS = 2


class Conversion(msgspec.Struct, frozen=True):
    """What a trial found out, and the model as its accelerator opens it, in pieces, which are
    too large to be copied; there are none if it is refused."""

    found: Acceleration
    pieces: tuple[bytes, ...] = ()


class Conversions:
    """``most_bytes``: what the process of a trial may take, each; 0: no limit of its own."""

    def __init__(
        self, fork_servers: ForkServers, runtimes: Mapping[str, Runtime], *most_bytes: int
    ) -> None:
        self._fork_servers = fork_servers
        self._runtimes = runtimes
        self._memory_bytes = min([MOST_MEMORY_BYTES, *filter(None, most_bytes)])

    def accelerator(self, runtime: str) -> Accelerator | None:
        """That of a runtime."""
        return self._runtimes[runtime].accelerator()

    async def tried(
        self, accelerator: Accelerator, order: AccelerationOrder, mode: str = USUAL
    ) -> Conversion:
        """``mode``: that of its runtime in which the model is run.

        Whatever the model does to the process, it has ended. Raises Unavailable, OSError.
        """
        try:
            _check(accelerator, order)
            return await self._tried(accelerator, order, mode)
        except CannotAccelerate as error:
            return Conversion(Acceleration(accelerator.name, accelerator.first, str(error)))

    async def _tried(
        self, accelerator: Accelerator, order: AccelerationOrder, mode: str
    ) -> Conversion:
        ours, theirs = socket.socketpair()
        with closing(ours), closing(theirs):
            work = partial(convert_and_try, order)
            candidate = order.candidate
            process = await self._fork_servers.start(
                theirs, candidate.runtime, work, candidate.path, self._memory_bytes, mode
            )
            theirs.close()
            try:
                return await _told(accelerator, process, ours)
            finally:
                process.kill()


def _check(accelerator: Accelerator, order: AccelerationOrder) -> None:
    """What is known without trying."""
    accelerator.versions()
    if order.stateful:
        # Another signature than the chosen one, perhaps, which changes what that reads.
        raise CannotAccelerate("one of its signatures keeps state, or draws random numbers")


async def _told(
    accelerator: Accelerator, process: ProcessHandle, ours: socket.socket
) -> Conversion:
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        async with asyncio.timeout(TRIAL_LIMIT_S):
            size = int.from_bytes(await reader.readexactly(HEAD_BYTES))
            if size > _MOST_HEAD_BYTES:
                raise CannotAccelerate("its process says what nobody understands")
            head = await reader.readexactly(size)
            found = _named(msgspec.msgpack.decode(head, type=Acceleration), accelerator)
            return Conversion(found, () if found.refusal else await _pieces(reader))
    except TimeoutError:
        raise CannotAccelerate(f"trying that takes longer than {TRIAL_LIMIT_S:g} s") from None
    except UNREADABLE:
        raise CannotAccelerate("its process says what nobody understands") from None
    except asyncio.IncompleteReadError:
        ending = await process.how_it_ended()
        if ending.code is None:
            raise Unavailable("the process that was trying it is gone") from None
        raise CannotAccelerate(f"the process that was trying that {ending}") from None
    finally:
        writer.close()


def _named(found: Acceleration, accelerator: Accelerator) -> Acceleration:
    """What a process says that a stranger's model may have taken over, in one short line."""
    refusal = one_line(found.refusal)[:_MOST_REASON]
    names = accelerator.name, accelerator.first
    return msgspec.structs.replace(
        found, engine=names[0], first=names[1], refusal=refusal, speeds=found.speeds[:_MOST_SPEEDS]
    )


async def _pieces(reader: asyncio.StreamReader) -> tuple[bytes, ...]:
    pieces, size = [], 0
    while piece := await reader.read(1 << 20):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_CONVERTED_BYTES:
            limit = MOST_CONVERTED_BYTES >> 20
            raise CannotAccelerate(f"it is larger than {limit} MB once it is converted")
    return tuple(pieces)
