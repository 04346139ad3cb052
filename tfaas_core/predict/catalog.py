"""Catalog: which models and versions exist, as one HTTP worker knows it, and the default one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

from tfaas_core.errors import StorageUnavailable, TfaasError, Unavailable, UnknownVersion
from tfaas_core.models.model import ModelVersion, now_or_right_after
from tfaas_core.models.paths import HERE, ModelPaths
from tfaas_core.models.versions import Model
from tfaas_core.predict.model_changes import (
    interim_model,
    keys_pointed_at,
    moves_between,
    overtaken_model,
    versions_gone,
)
from tfaas_core.routing.unexpected import is_given_up
from tfaas_core.storage import DefaultChoice, Storage
from tfaas_core.system.output.one_line import described

Switched: TypeAlias = Callable[[str, Model | None, Model | None], None]
"""Told of a model's name, and of the model before and after a change; None: it is not there."""

T = TypeVar("T")

_RETRY_S = 1.0
_log = logging.getLogger("tfaas.catalog")


class Catalog:
    """Every model with its versions. All but ``get``, and what it calls, is the event loop's.

    It goes on with what it knows while the storage cannot be read.
    """

    def __init__(
        self,
        storage: Storage,
        default: str,
        on_gone: Callable[[ModelVersion], None],
        make_ready: Callable[[ModelVersion, ModelVersion], Awaitable[None]],
        switched: Switched | None = None,
        paths: ModelPaths = HERE,
    ) -> None:
        """``on_gone`` is told of each version that need not be loaded any longer.

        ``make_ready(old, new)`` is awaited before requests go to ``new`` in the place of ``old``.
        ``switched`` is told of each change of what is served after the first reading. ``paths`` are
        for messages.
        """
        self._storage = storage
        self._configured_default = default
        self._on_gone = on_gone
        self._make_ready = make_ready
        self._switched = switched
        self._paths = paths
        self._models: dict[str, Model] = {}
        self._seen: dict[str, Model] = {}
        self._switches: dict[str, asyncio.Task[None]] = {}
        self._choice: DefaultChoice | None = None
        self._default = ""
        self._lost: StorageUnavailable | None = StorageUnavailable("the models are not read yet")
        self._was_read = False
        self._next_looks: dict[str, asyncio.Task[None]] = {}
        # Two looks at the storage must not overtake each other.
        self._looking = asyncio.Lock()

    async def load(self) -> None:
        """Reads all of the storage. Raises what storages raise; then all stays as it was.

        What is gone is not served any more when it returns; what is new may still be getting ready.
        """
        async with self._looking:
            found, self._choice = await self._read(self._storage.list)
            self._lost = None
            models = {model.name: model for model in found}
            for name in self._seen.keys() | models.keys():
                self._take_note(name, models.get(name))
            self._find_default()
            self._was_read = True

    async def refresh(self, name: str) -> None:
        """Looks one name up again, because somebody changed it, and waits until that is served.

        All that ask before a look has begun share it. Raises as ``load`` does.
        """
        look = self._next_looks.get(name)
        if look is None:
            look = self._next_looks[name] = asyncio.create_task(self._look_up(name))
            # If everyone who waited has gone, nobody else looks at the error.
            look.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(look)
        if not self._is_up_to_date(name):
            await asyncio.shield(self._switches[name])

    async def _look_up(self, name: str) -> None:
        async with self._looking:
            del self._next_looks[name]  # whoever asks from now on wants a later look
            model, self._choice = await self._read(partial(self._storage.model, name))
            self._take_note(name, model)
            self._find_default()

    async def _read(self, read: Callable[[], T]) -> tuple[T, DefaultChoice | None]:
        """What ``read`` returns, and which model is chosen as the default one."""
        try:
            return await asyncio.to_thread(lambda: (read(), self._storage.default()))
        except StorageUnavailable as error:
            self._lost = error
            raise

    def get(
        self, name: str | None, version: int | None = None, label: str | None = None
    ) -> ModelVersion:
        """The version that answers: the one of this number or label, or else the live one.

        ``name`` None means the default model. Raises UnknownModel and UnknownVersion, and
        StorageUnavailable if it may be one of those that could not be read.
        """
        model = self.model(name)
        try:
            if version is not None:
                return model.version(version)
            return model.live if label is None else model.labelled(label)
        except UnknownVersion:
            self._check_all_is_read()
            raise

    def name(self, name: str | None) -> str:
        """``name``, or with None, that of the default model; empty if there is none.

        Whether there is such a model is not looked up.
        """
        return self._configured_default or self._default if name is None else name

    def model(self, name: str | None) -> Model:
        """The model ``name``, or with None, the default one; raises as ``get`` does."""
        name = self.name(name)
        if (model := self._models.get(name)) is not None:
            return model
        self._check_all_is_read()
        raise self._paths.unknown(name)

    def _check_all_is_read(self) -> None:
        if (lost := self._lost) is not None:
            what = "the models cannot be read at the moment: "
            raise StorageUnavailable(what + lost.message, what + (lost.for_clients or lost.message))

    def list(self) -> list[Model]:
        """All that is served, sorted by name; StorageUnavailable if nothing was read yet."""
        if self._lost is not None and not self._was_read:
            raise self._lost
        return [self._models[name] for name in sorted(self._models)]

    def _take_note(self, name: str, model: Model | None) -> None:
        """Serves what was seen, but for versions that have to get ready first."""
        seen, before = self._seen.get(name), self._models.get(name)
        if model is None:
            self._seen.pop(name, None)
            if before is not None:
                self._put(name, None)
        elif not (seen is model or seen == model):
            self._seen[name] = model
            self._put(name, model if before is None else interim_model(before, model))
        if name not in self._switches and not self._is_up_to_date(name):
            self._switches[name] = asyncio.create_task(self._switch(name))

    def _is_up_to_date(self, name: str) -> bool:
        seen, served = self._seen.get(name), self._models.get(name)
        return seen is served or seen == served

    async def _switch(self, name: str) -> None:
        """Has new versions ready before requests go there, so that none of them has to wait."""
        try:
            while not self._is_up_to_date(name):
                before, model = self._models[name], self._seen[name]
                ready = [
                    new for old, new in moves_between(before, model) if await self._ready(old, new)
                ]
                self._let_go_live(name, model, ready)
        finally:
            del self._switches[name]

    async def _ready(self, old: ModelVersion, new: ModelVersion) -> bool:
        """Whether requests may go to ``new``: not if that needs a storage that is away."""
        try:
            await self._make_ready(old, new)
        except Unavailable as error:
            _log.warning("still serving %s: %s", old.reference, error.message)
            await asyncio.sleep(_RETRY_S)
            return False
        except BaseException as error:  # a plugin may call exit()
            if is_given_up(error):
                raise
            reason = error.message if isinstance(error, TfaasError) else described(error)
            _log.warning("%s goes live without warm-up: %s", new.reference, reason)
        return True

    def _let_go_live(self, name: str, model: Model, ready: Sequence[ModelVersion]) -> None:
        """Serves ``model``, if all of it is ready; or its live version, if newer ones came."""
        now, served = self._seen.get(name), self._models.get(name)
        keys = {version.key for version in ready}
        if now is not None and served is not None:
            goal = model if now is model else overtaken_model(served, model, now)
            if all(new.key in keys for _, new in moves_between(served, goal)):
                self._put(name, goal)
                self._find_default()
        needed = {*keys_pointed_at(self._models.get(name)), *keys_pointed_at(now)}
        for version in ready:
            if version.key not in needed:
                self._on_gone(version)

    def _put(self, name: str, model: Model | None) -> None:
        before = self._models.pop(name, None)
        if model is not None:
            self._models[name] = model
        if before is not None:
            for version in versions_gone(before, model):
                self._on_gone(version)
        if self._was_read and self._switched is not None:
            self._switched(name, before, model)

    async def close(self) -> None:
        """Ends what is going on."""
        going_on = [*self._next_looks.values(), *self._switches.values()]
        for task in going_on:
            task.cancel()
        await asyncio.gather(*going_on, return_exceptions=True)

    def next_moment(self) -> str:
        """The present; or, if a host's clock is ahead, right after what it uploaded or chose.

        So the last upload or choice is the latest one, whatever the hosts' clocks say.
        """
        told = [model.newest.created for model in self._models.values()]
        if self._choice is not None:
            told.append(self._choice.chosen)
        return now_or_right_after(max(told, default=""))

    def _find_default(self) -> None:
        """The newest upload, or the model that was chosen after it."""
        uploads = (model.newest for model in self._models.values())
        newest = max(uploads, key=lambda version: version.created, default=None)
        self._default = "" if newest is None else newest.name
        choice = self._choice
        if newest and choice and choice.name in self._models and choice.chosen >= newest.created:
            self._default = choice.name
