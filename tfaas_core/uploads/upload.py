"""Upload: one upload, from its first byte to its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from tfaas_core.errors import BadBody, DoesNotFit
from tfaas_core.events import ModelUploaded
from tfaas_core.models.model import ModelVersion, check_name
from tfaas_core.storage import Claim
from tfaas_core.uploads.package import Package, Received, sort_out
from tfaas_core.uploads.publisher import Publisher
from tfaas_core.uploads.uninterrupted import finished, taken


class Upload:
    """One upload, from its first byte to its answer.

    The steps: enter; ``claim`` the name as soon as it is known; put the files into ``staging``;
    ``publish``. Whatever is not published when the block ends is gone.
    """

    staging: Path

    def __init__(
        self,
        publisher: Publisher,
        admit: Callable[[str], Awaitable[None]] | None = None,
        identity: str = "",
    ) -> None:
        """``admit`` is asked whether the upload may have its name, as soon as that is known.

        ``identity``: who sends it, for observers.
        """
        self._begin_s = time.monotonic()
        self._identity = identity
        self._publisher = publisher
        self._admit = admit
        self._claimed: AbstractContextManager[Claim] | None = None
        self._claim: Claim | None = None
        self._publishing: asyncio.Future[ModelVersion] | None = None

    async def __aenter__(self) -> Upload:
        storage = self._publisher.storage
        await asyncio.to_thread(self._publisher.quota.check)
        self.staging = await taken(storage.stage, storage.discard)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await finished(self._end())

    async def _end(self) -> None:
        if self._publishing is not None:
            # Even if the client is gone: finish, all or nothing.
            await asyncio.wait([self._publishing])
        await asyncio.to_thread(self._clean_up)

    def _clean_up(self) -> None:
        self._publisher.storage.discard(self.staging)
        if self._claimed is not None:
            self._claimed.__exit__(None, None, None)

    async def claim(self, name: str) -> None:
        """Takes the exclusive right to ``name``. Raises DoesNotFit for a bad name, Busy."""
        check_name(name)
        if self._claim is not None:
            if self._claim.name != name:
                raise DoesNotFit(f"the upload has two names, {self._claim.name!r} and {name!r}")
            return
        if self._admit is not None:
            await self._admit(name)
        claimed = self._publisher.storage.claim(name)
        self._claim = await taken(
            claimed.__enter__, lambda _claim: claimed.__exit__(None, None, None)
        )
        self._claimed = claimed

    async def publish(self, received: Received) -> ModelVersion:
        """Checks, loads, warms and stores what was received in ``staging``, and switches to it.

        Its examples are run before it is stored. If no name was claimed, the bundle or the
        params tell it. Raises BadBody, DoesNotFit, CannotServe, TooLarge, Busy and what storages
        raise; then nothing is stored or changed.
        """
        self._publishing = asyncio.ensure_future(self._publish(received))
        # If the client is gone, nobody else looks at the error.
        self._publishing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._publishing)

    async def _publish(self, received: Received) -> ModelVersion:
        publisher = self._publisher
        package = await asyncio.to_thread(
            sort_out, received, self.staging, publisher.limits, publisher.runtime_choice
        )
        claim = await self._claim_for(package, received)
        version = await publisher.publish(claim, self.staging, package)
        publisher.tell(
            ModelUploaded(
                model=version.name,
                version=version.version,
                runtime=version.runtime,
                size_bytes=version.size_bytes,
                duration_s=time.monotonic() - self._begin_s,
                identity=self._identity,
            )
        )
        return version

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
