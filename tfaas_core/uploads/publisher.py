"""Publisher: stores and removes models, and tells every HTTP worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

from tfaas_core.engine.base import Candidate, Engine, Loaded
from tfaas_core.errors import (
    DoesNotFit,
    InUse,
    TfaasError,
)
from tfaas_core.events import Tell, tell_nobody
from tfaas_core.models.model import ModelVersion, check_name, is_name
from tfaas_core.models.params import WarmUpRuns, check_features
from tfaas_core.models.paths import HERE, ModelPaths
from tfaas_core.models.versions import MAX_LABELS, Model, Pointers
from tfaas_core.predict.example_runs import ExampleRuns
from tfaas_core.runtime import Runtime
from tfaas_core.steps import step
from tfaas_core.storage import Claim, DefaultChoice, Storage
from tfaas_core.system.loop.tasks import finished
from tfaas_core.system.loop.threads import ThreadsByKind
from tfaas_core.uploads.bundle import BundleLimits
from tfaas_core.uploads.package import Package
from tfaas_core.uploads.quota import Quota
from tfaas_core.uploads.runtime_choice import RuntimeChoice

_log = logging.getLogger("tfaas.publisher")

T = TypeVar("T")

TellWorkers: TypeAlias = Callable[[str], Awaitable[None]]
"""Tells all HTTP workers that a model has changed; returns when they have taken note.

It does not wait for ever for one that is slow, or cannot read the storage."""


class Publisher:
    """Changes what is stored. All methods belong to the event loop."""

    def __init__(
        self,
        storage: Storage,
        engine: Engine,
        runtimes: Mapping[str, Runtime],
        announce: TellWorkers,
        next_moment: Callable[[], str],
        keep_versions: int,
        limits: BundleLimits,
        example_runs: ExampleRuns,
        tell: Tell = tell_nobody,
        paths: ModelPaths = HERE,
        quota: Quota | None = None,
    ) -> None:
        """``quota``: what may be stored; None: anything."""
        self.storage = storage
        self.quota = quota
        self.tell = tell
        self.limits = limits
        self.runtime_choice = RuntimeChoice(runtimes)
        self._engine = engine
        self._announce = announce
        self._next_moment = next_moment
        self._keep_versions = keep_versions
        self._example_runs = example_runs
        self._paths = paths
        self.threads = ThreadsByKind()
        """For what may take minutes: asyncio's threads, which all that is short and waits for a
        disk needs, have better to do."""

    async def publish(
        self, claim: Claim, staging: Path, package: Package, number: int = 0
    ) -> ModelVersion:
        """Loads, checks and stores what an upload holds in ``staging``, and makes it live.

        ``number`` is the version's; 0: the next one. It must be higher than those that are there.
        Returns it, served by all workers. Raises DoesNotFit, CannotServe and what storages raise;
        then nothing is stored or changed. It must not be cancelled: see Upload.
        """
        engine, runs, params = self._engine, self._example_runs, package.params
        candidate = Candidate(claim.name, "", package.runtime, str(package.model), params.document)
        with step("load"):
            loaded = await engine.prepare(candidate)
            if package.examples:
                loaded = await runs.prepared_again(loaded, candidate, params, package.examples)
        try:
            check_features(params, loaded.signature)
            record = _record(claim.name, package, loaded)
            if params.warmup is not WarmUpRuns.NONE:
                with step("examples"):
                    if package.examples:
                        await runs.check(loaded.ticket, record, package.examples)
            record = msgspec.structs.replace(record, version=number, created=self._next_moment())
            commit = self.storage.commit if self.quota is None else self.quota.commit
            with step("store"):
                version = await self.threads.run("store", partial(commit, claim, staging, record))
        except BaseException:
            engine.discard(loaded.ticket)
            raise
        with step("switch"):
            await engine.adopt(loaded.ticket, version)
            await self._announce(claim.name)
        # Up to that number, there cannot be more.
        if version.version > self._keep_versions:
            await self._prune(claim)
        return version

    def close(self) -> None:
        """Gives its threads back."""
        self.threads.close()

    async def _prune(self, claim: Claim) -> None:
        """Comes last, because until the switch somebody may have wanted to load an old version."""
        try:
            if await asyncio.to_thread(self.storage.prune, claim, self._keep_versions):
                await self._announce(claim.name)
        except TfaasError as error:
            _log.warning("old versions of %s stay for now: %s", claim.name, error.message)

    async def remove(self, name: str) -> None:
        """Deletes a model with all its versions. Raises UnknownModel or Busy."""
        if not is_name(name):
            raise self._paths.unknown(name)
        await finished(self._remove(name))

    async def choose_default(self, name: str) -> None:
        """Makes ``name`` the default model, until the next upload. Raises UnknownModel."""
        await self._stored(name)
        choice = DefaultChoice(name, self._next_moment())
        await finished(asyncio.to_thread(self.storage.choose_default, choice))
        await self._announce(name)

    async def roll_back(self, name: str, number: int | None = None) -> ModelVersion:
        """Makes another version live: ``number``, or else the one that was live before.

        Returns it, loaded and served by all workers. Raises UnknownModel, UnknownVersion, Busy,
        and if the version cannot be loaded, why not.
        """
        await self._stored(name)
        return await finished(self._roll_back(name, number))

    async def _roll_back(self, name: str, number: int | None) -> ModelVersion:
        async with _claimed(self.storage, name) as claim:
            model = await self._stored(name)
            version = model.before_live() if number is None else model.version(number)
            await self._ready(version)
            await self._point(claim, model.pointers.with_live(version.version))
            return version

    async def label(self, name: str, label: str, number: int) -> ModelVersion:
        """Makes ``label`` name version ``number``, which is returned.

        Raises DoesNotFit for a bad label or one too many, UnknownModel, UnknownVersion and Busy.
        """
        check_name(label, "label")
        await self._stored(name)
        return await finished(self._label(name, label, number))

    async def _label(self, name: str, label: str, number: int) -> ModelVersion:
        async with _claimed(self.storage, name) as claim:
            model = await self._stored(name)
            version = model.version(number)
            pointers = model.pointers.with_label(label, number)
            if len(pointers.labels) > MAX_LABELS:
                raise DoesNotFit(
                    f"model {name!r} has {MAX_LABELS} labels, which is the most; remove one first",
                    model=name,
                )
            if label in model.pointers.labels:
                await self._ready(version)  # clients may be using the label already
            await self._point(claim, pointers)
            return version

    async def remove_label(self, name: str, label: str) -> None:
        """Makes ``label`` name nothing. Raises UnknownModel, UnknownVersion and Busy."""
        await self._stored(name)
        await finished(self._remove_label(name, label))

    async def _remove_label(self, name: str, label: str) -> None:
        async with _claimed(self.storage, name) as claim:
            model = await self._stored(name)
            model.labelled(label)
            await self._point(claim, model.pointers.without_label(label))

    async def remove_version(self, name: str, number: int) -> None:
        """Deletes one version. Raises UnknownModel, UnknownVersion, InUse and Busy."""
        await self._stored(name)
        await finished(self._remove_version(name, number))

    async def _remove_version(self, name: str, number: int) -> None:
        async with _claimed(self.storage, name) as claim:
            model = await self._stored(name)
            version = model.version(number)
            if version is model.live:
                raise InUse(
                    f"{version.reference} is live; roll back to another version first, or delete "
                    "the model",
                    model=name,
                )
            for label, labelled in model.pointers.labels.items():
                if labelled == number:
                    raise InUse(
                        f"the label {label!r} names {version.reference}; move or remove it first",
                        model=name,
                    )
            await asyncio.to_thread(self.storage.delete_version, claim, number)
            await self._announce(name)

    async def _ready(self, version: ModelVersion) -> None:
        """``version`` was just looked up: an upload right before is no reason not to load it."""
        self._engine.looked_up(version.name)
        await self._example_runs.ready(version)

    async def _point(self, claim: Claim, pointers: Pointers) -> None:
        await asyncio.to_thread(self.storage.point, claim, pointers)
        await self._announce(claim.name)

    async def _stored(self, name: str) -> Model:
        """The model as it is stored now; raises UnknownModel."""
        model = await asyncio.to_thread(self.storage.model, name) if is_name(name) else None
        if model is None:
            raise self._paths.unknown(name)
        return model

    async def _remove(self, name: str) -> None:
        async with _claimed(self.storage, name) as claim:
            if not await asyncio.to_thread(self.storage.delete, claim):
                raise self._paths.unknown(name)
            await self._announce(name)


def _record(name: str, package: Package, loaded: Loaded) -> ModelVersion:
    return ModelVersion(
        name=name,
        version=0,
        runtime=package.runtime,
        model_file=package.model_file,
        labels_file=package.labels_file,
        params=package.params.document,
        signature=loaded.signature,
        mergeable=loaded.mergeable,
        merge_reason=loaded.merge_reason,
        labels=package.labels,
        created="",
        size_bytes=package.size_bytes,
        checksum=package.checksum,
        warmup=package.warmup,
        others=loaded.others,
        declared=loaded.declared,
    )


@asynccontextmanager
async def _claimed(storage: Storage, name: str) -> AsyncIterator[Claim]:
    claimed = storage.claim(name)
    claim = await asyncio.to_thread(claimed.__enter__)
    try:
        yield claim
    finally:
        await asyncio.to_thread(claimed.__exit__, None, None, None)
