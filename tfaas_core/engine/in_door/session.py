"""Session: what an HTTP worker of another machine asks the pool of this one for."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import msgspec

from tfaas_core.engine.base import Candidate
from tfaas_core.engine.in_parent.pool import Pool
from tfaas_core.engine.shared.acceleration_messages import AskAcceleration
from tfaas_core.engine.shared.far_messages import (
    AcquireStored,
    AskRoom,
    FurtherStored,
    LetGo,
    PrepareSent,
)
from tfaas_core.engine.shared.fleet_messages import Further
from tfaas_core.engine.shared.looked_up import LookedUp
from tfaas_core.engine.shared.messages import (
    Absent,
    Acquire,
    AcquirePrepared,
    Adopt,
    Count,
    Discard,
    Done,
    Judge,
    Prepare,
    Retire,
)
from tfaas_core.errors import BadBody, CannotServe, StorageUnavailable, TfaasError
from tfaas_core.models.model import ModelVersion, check_name
from tfaas_core.system.links.link import FarLink
from tfaas_core.system.loop.tasks import Tasks

ToHost: TypeAlias = (
    Acquire
    | AcquireStored
    | AcquirePrepared
    | PrepareSent
    | AskRoom
    | LetGo
    | Adopt
    | Judge
    | Discard
    | Retire
    | LookedUp
    | Count
    | FurtherStored
    | AskAcceleration
)
"""No other message may come: those with paths of files are for this machine alone."""

KEPT_S = 60.0
"""Files of an upload that nobody has loaded yet."""

_log = logging.getLogger("tfaas.door")


class ModelFiles(msgspec.Struct, frozen=True):
    """The files of models on this machine. All may block, and are called from threads.

    ``artifact`` finds those of a stored version. ``stage`` makes a folder for those of an upload,
    and ``discard`` removes it.
    """

    artifact: Callable[[ModelVersion], Path]
    stage: Callable[[], Path]
    discard: Callable[[Path], None]


class Session:
    """One far worker, of the number ``worker``, at ``peer``. ``calm_s``: models that were not used
    for so long give way to others. ``on_end``: called once it is gone.
    """

    def __init__(
        self,
        worker: int,
        sock: socket.socket,
        peer: str,
        pool: Pool,
        shelf: ModelFiles,
        calm_s: float,
        on_end: Callable[[], None],
    ) -> None:
        self.worker = worker
        self._pool = pool
        self._shelf = shelf
        self._calm_s = calm_s
        self._on_end = on_end
        self._sent: dict[str, tuple[Path, Path]] = {}
        self._tasks = Tasks(_log)
        whose = f"an HTTP worker of {peer}"
        self.link: FarLink[ToHost] = FarLink(sock, ToHost, self._heard, self._gone, whose)
        pool.attach_far(worker, self.link)

    def put(self, name: str, staging: Path, artifact: Path) -> None:
        """Files of an upload that have come, for the PrepareSent that follows.

        Whoever sent them may have given the upload up since, or be gone.
        """
        self._sent[name] = staging, artifact
        asyncio.get_running_loop().call_later(KEPT_S, self._give_up, name)

    async def close(self) -> None:
        """Hangs up."""
        self.link.close()
        await self._end()

    def _gone(self) -> None:
        self._on_end()
        self._pool.detach(self.worker)
        self._tasks.spawn(self._discard_all())

    async def _end(self) -> None:
        self._pool.detach(self.worker)
        await self._discard_all()
        await self._tasks.cancel()

    def _give_up(self, name: str) -> None:
        if name in self._sent:
            self._tasks.spawn(self._discard(name))

    async def _discard_all(self) -> None:
        while self._sent:
            await self._discard(next(iter(self._sent)))

    async def _discard(self, name: str) -> None:
        staging, _artifact = self._sent.pop(name, (None, None))
        if staging is not None:  # nobody has loaded it meanwhile
            await asyncio.to_thread(self._shelf.discard, staging)

    def _heard(self, message: ToHost, _descriptors: list[int]) -> None:
        match message:
            case AcquireStored():
                self._begin(message.call, partial(self._acquire, message))
            case PrepareSent():
                self._begin(message.call, partial(self._prepare, message))
            case AskRoom():
                self.link.send(self._room(message))
            case LetGo():
                self._pool.far.let_go(self.worker, message.key)
            case FurtherStored():
                self._tasks.spawn(self._further(message.version))
            case Acquire():
                candidate = msgspec.structs.replace(message.candidate, path="")
                self._pool.heed(self.worker, Acquire(message.call, candidate))
            case _:
                self._pool.heed(self.worker, message)

    def _begin(self, call: int, work: Callable[[], Awaitable[None]]) -> None:
        self._pool.begin(self.worker, call, work)

    async def _found(self, version: ModelVersion) -> Candidate:
        check_name(version.name)
        return Candidate.stored(version, await asyncio.to_thread(self._shelf.artifact, version))

    def _room(self, asked: AskRoom) -> Done | Absent:
        which = asked.name, asked.key, asked.size_bytes
        there_is = self._pool.far.has_room(*which, self._calm_s)
        return Done(asked.call) if there_is else Absent(asked.call)

    async def _acquire(self, message: AcquireStored) -> None:
        self._pool.far.takes(message.version.name)
        candidate = await self._found(message.version)
        try:
            await self._pool.acquire(self.worker, Acquire(message.call, candidate))
        except (CannotServe, StorageUnavailable):
            # Perhaps it was removed amid the load; then this says so.
            await self._found(message.version)
            raise

    async def _prepare(self, message: PrepareSent) -> None:
        staging, artifact = self._sent.pop(message.sent, (None, None))
        if staging is None:
            raise BadBody("the files of the upload have not come to its host; try again")
        try:
            self._pool.far.takes(check_name(message.candidate.name))
            candidate = msgspec.structs.replace(message.candidate, path=str(artifact))
            await self._pool.prepare(self.worker, Prepare(message.call, candidate))
        finally:
            await asyncio.to_thread(self._shelf.discard, staging)

    async def _further(self, version: ModelVersion) -> None:
        try:
            self._pool.heed(self.worker, Further(await self._found(version)))
        except TfaasError as error:  # what is loaded answers on
            _log.info("%s gets no further process: %s", version.reference, error.message)
