"""Takeover: models of another server become those of a storage, each version as if uploaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from tfaas_core.config import Config
from tfaas_core.engine.base import Candidate
from tfaas_core.errors import CannotServe, TfaasError
from tfaas_core.models.examples import WARMUP, read_examples
from tfaas_core.models.label_count import label_warnings
from tfaas_core.models.model import NAME_RULE, ModelVersion, is_name, now_text
from tfaas_core.models.params import Params, WarmUpRuns
from tfaas_core.models.versions import MAX_NUMBER
from tfaas_core.plugins import Plugins
from tfaas_core.predict.example_runs import ExampleRuns
from tfaas_core.storage import Storage
from tfaas_core.system.loop.tasks import finished
from tfaas_core.system.output.progress import Advance
from tfaas_core.tools.lone_engine import LoneEngine, engine_context, lone_engine, record_of
from tfaas_core.tools.served.comparison import OF_ONE_VERSION, TakenOver, compared, sentence_of
from tfaas_core.tools.served.logged_requests import LoggedExample, logged_examples
from tfaas_core.tools.served.parcel import Parcel, form_file
from tfaas_core.tools.served.sources import ServedModel
from tfaas_core.tools.served.versions import FoundVersion
from tfaas_core.tools.transfer import Progress
from tfaas_core.uploads.bundle import BundleLimits
from tfaas_core.uploads.companions import WARMUP_FILE, read_params
from tfaas_core.uploads.package import Received
from tfaas_core.uploads.publisher import Publisher
from tfaas_core.uploads.quota import Quota
from tfaas_core.uploads.upload import Upload

_TRYING_S = 30.0
"""For all logged requests of a version. An upload runs its examples within 60 s."""

_SHOWN = 3


class _Means(msgspec.Struct, frozen=True):
    """What loads models, and what stores them."""

    lone: LoneEngine
    publisher: Publisher

    @classmethod
    def of(cls, lone: LoneEngine, storage: Storage) -> _Means:
        config = lone.context.config
        publisher = Publisher(
            storage,
            lone.engine,
            lone.context.runtimes,
            _tell_nobody,
            now_text,
            MAX_NUMBER,  # so that nothing is removed
            BundleLimits(config.limits.max_unpacked_bytes, config.limits.max_bundle_files),
            lone.runs,
            quota=Quota(storage, config.storage.quota_bytes, config.models.max_models),
        )
        return cls(lone, publisher)


class Takeover:
    """Takes models into a storage. All methods belong to the event loop."""

    def __init__(
        self, storage: Storage, progress: Progress, means: Callable[[], Awaitable[_Means]]
    ) -> None:
        """``means`` are asked for once there is something to load."""
        self._storage = storage
        self._progress = progress
        self._means = means

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, config: Config, plugins: Plugins, storage: Storage, progress: Progress
    ) -> AsyncIterator[Takeover]:
        """One that goes by ``config``, whose open storage is ``storage``. Raises PluginError."""
        context = engine_context(config, plugins)
        codecs = plugins.codecs(config)
        made: list[_Means] = []
        async with AsyncExitStack() as stack:

            async def means() -> _Means:
                if not made:
                    lone = lone_engine(context, codecs, storage.artifact)
                    made.append(_Means.of(await stack.enter_async_context(lone), storage))
                    stack.callback(made[0].publisher.close)
                return made[0]

            yield cls(storage, progress, means)

    async def take(self, model: ServedModel, name: str) -> TakenOver:
        """Stores the versions of ``model`` under ``name``, with their numbers and labels.

        What is there already is left as it is. A version that cannot be served is told, and the
        others are taken, unless the storage is to blame. Raises what ``compared`` raises.
        """
        taken, missing = await asyncio.to_thread(compared, self._storage, model, name)
        taken.copied = 0
        if missing:
            await self._take_all(taken, missing)
        await self._point(taken, model)
        return taken

    async def _take_all(
        self, taken: TakenOver, missing: Sequence[tuple[FoundVersion, Parcel]]
    ) -> None:
        size_bytes = sum(parcel.size_bytes for _version, parcel in missing)
        with self._progress(taken.name, size_bytes) as advance:
            for version, parcel in missing:
                try:
                    record = await self._uploaded(taken, version, parcel, advance)
                except (TfaasError, OSError) as error:
                    taken.failed.append(f"version {version.number}: {sentence_of(error)}")
                    if isinstance(error, OF_ONE_VERSION):
                        continue
                    break  # so that it can be taken another time, before those of higher numbers
                (await self._means()).lone.engine.retire(record)
                taken.copied += 1
                warnings = label_warnings(record.labels, record.signature)
                taken.notes += [f"version {version.number}: {warning}" for warning in warnings]

    async def _uploaded(
        self, taken: TakenOver, version: FoundVersion, parcel: Parcel, advance: Advance
    ) -> ModelVersion:
        means = await self._means()
        parcel.check(means.publisher.limits)
        async with Upload.begun(means.publisher) as upload:
            await upload.claim(taken.name)
            staging, quota = upload.staging, means.publisher.quota
            if quota is not None:
                await asyncio.to_thread(quota.reserve, staging, parcel.size_bytes)
            received = await finished(asyncio.to_thread(parcel.put, staging, advance))
            if parcel.logged is not None:
                received, left_out = await self._with_examples(
                    taken.name, received, parcel.logged, staging
                )
                if left_out:
                    shown = "; ".join(left_out[:_SHOWN])
                    more = f"; and {len(left_out) - _SHOWN} more" if left_out[_SHOWN:] else ""
                    what = f"version {version.number}: warm-up requests left out"
                    taken.notes.append(f"{what}: {shown}{more}")
            upload.number(str(version.number))
            return await upload.publish(received)

    # Examples.

    async def _with_examples(
        self, name: str, received: Received, file: Path, staging: Path
    ) -> tuple[Received, list[str]]:
        """What was received, with those logged requests that run; and why others are left out."""
        logged = await asyncio.to_thread(logged_examples, file)
        good, bad = await self._tried(name, received, logged.examples)
        if good:
            document = {"examples": [each.document for each in good]}
            written = form_file(staging, WARMUP_FILE, msgspec.json.encode(document))
            received = msgspec.structs.replace(received, warmup=written)
        return received, logged.left_out + bad

    async def _tried(
        self, name: str, received: Received, logged: list[LoggedExample]
    ) -> tuple[list[LoggedExample], list[str]]:
        params = Params() if received.params is None else read_params(received.params.path)
        if not logged or params.warmup is WarmUpRuns.NONE:
            return logged, []
        model = received.model
        means = await self._means()
        runtime = await asyncio.to_thread(
            means.publisher.runtime_choice.runtime_for, model.path, model.filename, params.runtime
        )
        candidate = Candidate(name, "", runtime, str(model.path), params.document)
        loaded = await means.lone.engine.prepare(candidate)
        try:
            record = record_of(candidate, loaded)
            return await _run(means.lone.runs, loaded.ticket, record, logged)
        finally:
            means.lone.engine.discard(loaded.ticket)

    # Labels.

    async def _point(self, taken: TakenOver, model: ServedModel) -> None:
        stored = await asyncio.to_thread(self._storage.model, taken.name)
        for label, number in sorted(model.labels.items()):
            there = {} if stored is None else {v.version: v for v in stored.versions}
            if not is_name(label):
                taken.failed.append(f"label {label[:140]!r}: a label is {NAME_RULE}")
            elif number not in there:
                taken.failed.append(f"label {label!r}: version {number} is not there")
            elif stored is not None and stored.pointers.labels.get(label) != number:
                means = await self._means()
                try:
                    await means.publisher.label(taken.name, label, number)
                except TfaasError as error:
                    taken.failed.append(f"label {label!r}: {error.message}")
                means.lone.engine.retire(there[number])


async def _run(
    runs: ExampleRuns, ticket: int, record: ModelVersion, logged: list[LoggedExample]
) -> tuple[list[LoggedExample], list[str]]:
    good: list[LoggedExample] = []
    bad: list[str] = []
    end_s = asyncio.get_running_loop().time() + _TRYING_S
    for each in logged:
        (example,) = read_examples(each.document, WARMUP)
        try:
            async with asyncio.timeout_at(end_s):
                await runs.check(ticket, record, [example])
        except CannotServe as error:
            reason = error.message.removeprefix(f"{example.where}: ")
            bad.append(f"number {each.record}: {reason}")
        except TimeoutError:
            bad.append(f"from number {each.record} on: all take longer than {_TRYING_S:g} s")
            break
        else:
            good.append(each)
    return good, bad


async def _tell_nobody(_name: str) -> None:
    """Servers that share the storage notice by themselves."""
