"""Upload: one upload, from its first byte to its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import msgspec

from tfaas_core.errors import BadBody, DoesNotFit
from tfaas_core.events import ModelUploaded
from tfaas_core.models.model import ModelVersion, check_name
from tfaas_core.models.versions import number_of
from tfaas_core.steps import Step, following, step
from tfaas_core.storage import Claim
from tfaas_core.system.loop.tasks import finished, taken
from tfaas_core.uploads.bundle import BUNDLES
from tfaas_core.uploads.package import Package, Received, sort_out
from tfaas_core.uploads.publisher import Publisher
from tfaas_core.uploads.quota import AHEAD_BYTES, Quota

Admit: TypeAlias = Callable[[str], Awaitable[None]]
"""Raises what guards raise who do not let the upload have this name."""


class Sender(msgspec.Struct, frozen=True):
    """Who sends an upload, for observers; by default, the server itself.

    ``admit`` is asked whether the upload may have its name, as soon as that is known.
    """

    admit: Admit | None = None
    identity: str = ""
    address: str = ""
    request_id: str = ""
    steps: list[Step] | None = None
    """As Visit has it."""


_THE_SERVER = Sender()


class Upload:
    """One upload, from its first byte to its answer.

    The steps: ``begun``; ``claim`` the name as soon as it is known; put the files into
    ``staging``; ``publish``.
    """

    def __init__(self, publisher: Publisher, staging: Path, sender: Sender) -> None:
        self._begin_s = time.monotonic()
        self._sender = sender
        self._publisher = publisher
        self.staging = staging
        self._claimed: AbstractContextManager[Claim] | None = None
        self._claim: Claim | None = None
        self._is_stored = False
        self._number = 0

    @classmethod
    @asynccontextmanager
    async def begun(
        cls, publisher: Publisher, sender: Sender = _THE_SERVER
    ) -> AsyncIterator[Upload]:
        """A new one. Whatever is not published when the block ends is gone."""
        storage = publisher.storage
        if publisher.quota is not None:
            await publisher.quota.check()
        upload = cls(publisher, await taken(storage.stage, storage.discard), sender)
        try:
            with following(sender.steps):
                yield upload
        finally:
            await finished(asyncio.to_thread(upload._clean_up))

    def _clean_up(self) -> None:
        if not self._is_stored:
            self._publisher.storage.discard(self.staging)
        if self._publisher.quota is not None:
            self._publisher.quota.release(self.staging)
        if self._claimed is not None:
            self._claimed.__exit__(None, None, None)

    async def claim(self, name: str) -> None:
        """Takes the exclusive right to ``name``. Raises DoesNotFit for a bad name, Busy."""
        check_name(name)
        quota = self._publisher.quota
        if quota is not None:
            quota.check_name(name)
        if self._claim is not None:
            if self._claim.name != name:
                raise DoesNotFit(f"the upload has two names, {self._claim.name!r} and {name!r}")
            return
        if self._sender.admit is not None:
            await self._sender.admit(name)
        claimed = self._publisher.storage.claim(name)
        self._claim = await taken(
            claimed.__enter__, lambda _claim: claimed.__exit__(None, None, None)
        )
        self._claimed = claimed
        if quota is not None:
            await asyncio.to_thread(quota.reserve_name, self.staging, name)

    def receiving(self, stream: AsyncIterator[bytes], announced: str) -> AsyncIterator[bytes]:
        """``stream``, of which each piece has room in ``staging`` before it comes.

        ``announced``: the header Content-Length, empty for none: there is room for that at once, or
        the first piece raises StorageFull.
        """
        quota = self._publisher.quota
        if quota is None:
            return stream
        return self._with_room(quota, stream, int(announced) if announced.isdecimal() else 0)

    async def _with_room(
        self, quota: Quota, stream: AsyncIterator[bytes], announced_bytes: int
    ) -> AsyncIterator[bytes]:
        size_bytes = 0
        reserved_bytes = await asyncio.to_thread(quota.reserve, self.staging, announced_bytes)
        async for chunk in stream:
            size_bytes += len(chunk)
            if size_bytes > reserved_bytes:
                reserved_bytes = await asyncio.to_thread(
                    quota.reserve, self.staging, size_bytes, AHEAD_BYTES
                )
            yield chunk

    def number(self, text: str) -> None:
        """The version is to have the number that ``text`` spells; raises DoesNotFit."""
        self._number = number_of(text)

    async def publish(self, received: Received) -> ModelVersion:
        """Checks, loads, warms and stores what was received in ``staging``, and switches to it.

        Its examples are run before it is stored. If no name was claimed, the bundle or the
        params tell it. Raises BadBody, DoesNotFit, CannotServe, TooLarge, Busy and what storages
        raise; then nothing is stored or changed. It is finished also if the client goes away.
        """
        publishing = asyncio.ensure_future(self._publish(received))
        # If the client is gone, nobody else looks at the error.
        publishing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await finished(publishing)

    async def _publish(self, received: Received) -> ModelVersion:
        publisher = self._publisher
        is_quick = received.model.archive not in BUNDLES and not received.model_is_base64
        kind = "sort" if is_quick else "unpack"
        with step("unpack"):
            package = await publisher.threads.run(kind, partial(self._sorted_out, received))
        claim = await self._claim_for(package, received)
        version = await publisher.publish(claim, self.staging, package, self._number)
        self._is_stored = True
        publisher.tell(
            ModelUploaded(
                model=version.name,
                version=version.version,
                runtime=version.runtime,
                size_bytes=version.size_bytes,
                duration_s=time.monotonic() - self._begin_s,
                identity=self._sender.identity,
                address=self._sender.address,
                request_id=self._sender.request_id,
            )
        )
        return version

    def _sorted_out(self, received: Received) -> Package:
        publisher, staging, quota = self._publisher, self.staging, self._publisher.quota
        sorted_out = partial(
            sort_out, received, staging, publisher.limits, publisher.runtime_choice
        )
        if quota is None:
            return sorted_out()
        received_bytes = quota.settle(staging)

        def has_room(more_bytes: int) -> None:
            quota.reserve(staging, received_bytes + more_bytes, AHEAD_BYTES)

        package = sorted_out(has_room)
        quota.settle(staging)
        return package

    async def _claim_for(self, package: Package, received: Received) -> Claim:
        params = package.params
        if self._claim is None:
            name = package.name or params.name
            if not name:
                raise BadBody(
                    "the upload has no name: send the form's part 'name', ?name=NAME, or a bundle "
                    "with one folder at its top",
                    field="name",
                )
            await self.claim(name)
        assert self._claim is not None
        if received.params is not None and params.name not in ("", self._claim.name):
            raise DoesNotFit(
                f"params names the model {params.name!r}, the upload {self._claim.name!r}: "
                "make them equal, or leave it out of params",
                field="name",
                expected=self._claim.name,
                got=params.name,
            )
        return self._claim
