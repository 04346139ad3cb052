"""Catalog: which models and versions exist, as one HTTP worker knows it, and the default one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeAlias, TypeVar

from tfaas_core.errors import StorageUnavailable, TfaasError, UnknownModel
from tfaas_core.model import ModelVersion
from tfaas_core.storage import DefaultChoice, Storage
from tfaas_core.versions import Model

Move: TypeAlias = tuple[ModelVersion, ModelVersion]
"""A version that requests went to, and the one that they go to from now on."""

T = TypeVar("T")

_log = logging.getLogger("tfaas.catalog")


class Catalog:
    """Every model with its versions, in memory. All methods belong to the event loop.

    It goes on with what it knows while the storage cannot be read.
    """

    def __init__(
        self,
        storage: Storage,
        default: str,
        on_gone: Callable[[ModelVersion], None],
        make_ready: Callable[[ModelVersion, ModelVersion], Awaitable[None]],
    ) -> None:
        """``on_gone`` is told of each version that need not be loaded any longer.

        ``make_ready(old, new)`` is awaited before requests go to ``new`` in the place of ``old``.
        """
        self._storage = storage
        self._configured_default = default
        self._on_gone = on_gone
        self._make_ready = make_ready
        self._models: dict[str, Model] = {}
        self._seen: dict[str, Model] = {}
        self._switches: dict[str, asyncio.Task[None]] = {}
        self._choice: DefaultChoice | None = None
        self._default = ""
        self._lost: StorageUnavailable | None = StorageUnavailable("the models are not read yet")
        # Two looks at the storage must not overtake each other.
        self._looking = asyncio.Lock()

    async def load(self) -> None:
        """Reads all of the storage. Raises what storages raise; then all stays as it was."""
        async with self._looking:
            models = {model.name: model for model in await self._read(self._storage.list)}
            self._choice = await self._read(self._storage.default)
            self._lost = None
            names = self._seen.keys() | models.keys()
            switches = [self._take_note(name, models.get(name)) for name in names]
        await asyncio.gather(*filter(None, switches))
        self._find_default()

    async def refresh(self, name: str) -> None:
        """Looks one name up again, because somebody changed it. Raises as ``load`` does."""
        async with self._looking:
            model = await self._read(self._storage.model, name)
            self._choice = await self._read(self._storage.default)
            switch = self._take_note(name, model)
        if switch is not None:
            await switch
        self._find_default()

    async def _read(self, read: Callable[..., T], *arguments: str) -> T:
        try:
            return await asyncio.to_thread(read, *arguments)
        except StorageUnavailable as error:
            self._lost = error
            raise

    def get(
        self, name: str | None, version: int | None = None, label: str | None = None
    ) -> ModelVersion:
        """The version that answers: the one of this number or label, or else the live one.

        ``name`` None means the default model. Raises UnknownModel and UnknownVersion, and
        StorageUnavailable where the model may be one of those that could not be read.
        """
        model = self.model(name)
        if version is not None:
            return model.version(version)
        return model.live if label is None else model.labelled(label)

    def model(self, name: str | None) -> Model:
        """The model ``name``, or with None, the default one; raises as ``get`` does."""
        if name is None:
            name = self._configured_default or self._default
        model = self._models.get(name)
        if model is not None:
            return model
        if self._lost is not None:
            raise StorageUnavailable(
                f"which models there are cannot be read at the moment: {self._lost.message}"
            )
        if not name:
            raise UnknownModel("there is no model yet; upload one to /upload")
        raise UnknownModel(f"there is no model {name[:140]!r}; see /models", model=name[:140])

    def list(self) -> list[Model]:
        """All that is served, sorted by name."""
        return [self._models[name] for name in sorted(self._models)]

    def _take_note(self, name: str, model: Model | None) -> Awaitable[None] | None:
        """Serves what was seen at once, or returns what to wait for until that is so."""
        seen = self._seen.get(name)
        if model is not None and (seen is model or seen == model):
            return self._switches.get(name)
        before = self._models.get(name)
        if model is None:
            self._seen.pop(name, None)
        else:
            self._seen[name] = model
            moves = [] if before is None else list(_moves(before, model))
            if moves:
                return self._start_switch(model, moves)
        if before is not None or model is not None:
            self._put(name, model)
        return None

    def _start_switch(self, model: Model, moves: Sequence[Move]) -> Awaitable[None]:
        switch = asyncio.create_task(self._switch(model, moves))
        self._switches[model.name] = switch

        def forget(done: asyncio.Task[None]) -> None:
            if self._switches.get(model.name) is done:
                del self._switches[model.name]

        switch.add_done_callback(forget)
        return switch

    async def _switch(self, model: Model, moves: Sequence[Move]) -> None:
        """Has new versions ready before requests go there: none of them has to wait."""
        for old, new in moves:
            try:
                await self._make_ready(old, new)
            except TfaasError as error:
                _log.warning("%s goes live unready: %s", new.reference, error.message)
        # Meanwhile somebody may have changed it again, and that was seen.
        if self._seen.get(model.name) is model:
            self._put(model.name, model)
            self._find_default()

    def _put(self, name: str, model: Model | None) -> None:
        before = self._models.get(name)
        if model is None:
            self._models.pop(name, None)
        else:
            self._models[name] = model
        if before is not None:
            for version in _gone(before, model):
                self._on_gone(version)

    def _find_default(self) -> None:
        """The newest upload, or the model that was chosen after it."""
        newest = max(self._models.values(), key=lambda m: m.newest.created, default=None)
        choice = self._choice
        self._default = "" if newest is None else newest.name
        if (
            newest is not None
            and choice is not None
            and choice.name in self._models
            and choice.chosen > newest.newest.created
        ):
            self._default = choice.name


def _moves(before: Model, after: Model) -> Iterator[Move]:
    """Where requests will go that went somewhere else before."""
    if before.live.key != after.live.key:
        yield before.live, after.live
    for label in before.pointers.labels.keys() & after.pointers.labels.keys():
        old, new = before.labelled(label), after.labelled(label)
        if old.key != new.key:
            yield old, new


def _gone(before: Model, after: Model | None) -> Iterator[ModelVersion]:
    """Versions that are no longer there, or no longer live or labelled.

    Those that are there all the same are loaded again should a request name their number.
    """
    there = {v.key: v for v in after.versions} if after is not None else {}
    kept = after.pointers.kept if after is not None else set()
    for version in before.versions:
        was_kept = version.version in before.pointers.kept
        if version.key not in there or (was_kept and version.version not in kept):
            yield version
