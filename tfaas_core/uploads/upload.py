"""Upload: one upload, from its first byte to its answer."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from tfaas_core.engine.base import Candidate, Loaded
from tfaas_core.errors import BadBody, DoesNotFit, TfaasError
from tfaas_core.models.examples import examples_in
from tfaas_core.models.model import ModelVersion, check_name, now_text
from tfaas_core.models.params import check_features
from tfaas_core.runtime import runtime_for
from tfaas_core.storage import Claim
from tfaas_core.uploads.first_axis import prepare
from tfaas_core.uploads.package import Package, Received, sort_out
from tfaas_core.uploads.uninterrupted import finished, taken

if TYPE_CHECKING:
    from tfaas_core.uploads.publisher import Publisher

_log = logging.getLogger("tfaas.publisher")


class Upload:
    """One upload, from its first byte to its answer.

    The steps: enter; ``claim`` the name as soon as it is known; put the files into ``staging``;
    ``publish``. Whatever is not published when the block ends is gone.
    """

    staging: Path

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._claimed: AbstractContextManager[Claim] | None = None
        self._claim: Claim | None = None
        self._publishing: asyncio.Future[ModelVersion] | None = None

    async def __aenter__(self) -> Upload:
        storage = self._publisher.storage
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
            # The client may be gone; what it sent is stored wholly or not at all all the same.
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
        claimed = self._publisher.storage.claim(name)
        self._claim = await taken(
            claimed.__enter__, lambda _claim: claimed.__exit__(None, None, None)
        )
        self._claimed = claimed

    async def publish(self, received: Received) -> ModelVersion:
        """Checks, loads, warms and stores what was received in ``staging``, and switches to it.

        Its examples are run before it is stored. Where no name was claimed, the bundle or the
        params tell it. Raises BadBody, DoesNotFit, CannotServe, TooLarge, Busy and what storages
        raise; then nothing is stored or changed.
        """
        self._publishing = asyncio.ensure_future(self._publish(received))
        # Where the client is gone, nobody else looks at the error.
        self._publishing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._publishing)

    async def _publish(self, received: Received) -> ModelVersion:
        publisher = self._publisher
        package = await asyncio.to_thread(sort_out, received, self.staging, publisher.limits)
        claim = await self._claim_for(package, received)
        runtime = runtime_for(publisher.runtimes, package.model)
        params = package.params
        candidate = Candidate(claim.name, "", runtime, str(package.model), params.document)
        examples = examples_in(package.warmup, params.document)
        loaded = await prepare(publisher.engine, candidate, examples)
        try:
            check_features(params, loaded.signature)
            record = _record(claim.name, runtime, package, loaded)
            await publisher.example_runs.check(loaded.ticket, record)
            record = msgspec.structs.replace(record, created=publisher.next_moment())
            version = await asyncio.to_thread(publisher.storage.commit, claim, self.staging, record)
        except BaseException:
            publisher.engine.discard(loaded.ticket)
            raise
        await publisher.engine.adopt(loaded.ticket, version)
        await publisher.announce(claim.name)
        await self._prune(claim)
        return version

    async def _prune(self, claim: Claim) -> None:
        """Comes last, because until the switch somebody may have wanted to load an old version."""
        publisher = self._publisher
        try:
            if await asyncio.to_thread(publisher.storage.prune, claim, publisher.keep_versions):
                await publisher.announce(claim.name)
        except TfaasError as error:
            _log.warning("old versions of %s stay for now: %s", claim.name, error.message)

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


def _record(name: str, runtime: str, package: Package, loaded: Loaded) -> ModelVersion:
    return ModelVersion(
        name=name,
        version=0,
        runtime=runtime,
        model_file=package.model_file,
        labels_file=package.labels_file,
        params=package.params.document,
        signature=loaded.signature,
        mergeable=loaded.mergeable,
        merge_reason=loaded.merge_reason,
        labels=package.labels,
        created=now_text(),
        size_bytes=package.size_bytes,
        checksum=package.checksum,
        warmup=package.warmup,
    )
