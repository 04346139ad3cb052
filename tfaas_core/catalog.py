"""Catalog: which models and versions exist, as one HTTP worker knows it, and the default one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator

from tfaas_core.errors import StorageUnavailable, TfaasError, UnknownModel
from tfaas_core.model import ModelVersion
from tfaas_core.storage import DefaultChoice, Storage
from tfaas_core.versions import Model

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
        """``on_gone`` is told of each version that needs to be loaded no longer.

        ``make_ready(old, new)`` is awaited before ``new`` goes live in the place of ``old``.
        """
        self._storage = storage
        self._configured_default = default
        self._on_gone = on_gone
        self._make_ready = make_ready
        self._models: dict[str, Model] = {}
        self._seen: dict[str, Model] = {}
        self._choice: DefaultChoice | None = None
        self._default = ""
        self._lost: StorageUnavailable | None = StorageUnavailable("the models are not read yet")
        # Two looks at the storage must not overtake each other.
        self._looking = asyncio.Lock()

    async def load(self) -> None:
        """Reads all of the storage. Raises what storages raise; then all stays as it was."""
        async with self._looking:
            try:
                models = await asyncio.to_thread(self._storage.list)
                self._choice = await asyncio.to_thread(self._storage.default)
            except StorageUnavailable as error:
                self._lost = error
                raise
            self._lost = None
            found = {model.name: model for model in models}
            switches = [
                self._take_note(name, found.get(name)) for name in self._seen.keys() | found.keys()
            ]
        await asyncio.gather(*filter(None, switches))
        self._find_default()

    async def refresh(self, name: str) -> None:
        """Looks one name up again, because somebody changed it. Raises as ``load`` does."""
        async with self._looking:
            model = await asyncio.to_thread(self._storage.model, name)
            self._choice = await asyncio.to_thread(self._storage.default)
            switch = self._take_note(name, model)
        if switch is not None:
            await switch
        self._find_default()

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
        """Serves what was seen at once, or returns what leads to that."""
        before = self._models.get(name)
        if model is None:
            self._seen.pop(name, None)
        elif self._seen.get(name) == model:
            return None
        else:
            self._seen[name] = model
        if before is None or model is None or before.live.key == model.live.key:
            self._put(name, model)
            return None
        return self._switch(before, model)

    async def _switch(self, before: Model, model: Model) -> None:
        """Has the new version ready before requests go there: none of them has to wait."""
        try:
            await self._make_ready(before.live, model.live)
        except TfaasError as error:
            _log.warning("%s goes live unready: %s", model.live.reference, error.message)
        # Meanwhile somebody may have changed it again, and that was seen.
        if self._seen.get(model.name) is model:
            self._put(model.name, model)

    def _put(self, name: str, model: Model | None) -> None:
        before = self._models.get(name)
        if model is None:
            self._models.pop(name, None)
        else:
            self._models[name] = model
        kept = {version.key for version in _used(model)}
        for version in _used(before):
            if version.key not in kept:
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


def _used(model: Model | None) -> Iterator[ModelVersion]:
    """The versions that are worth being kept loaded: the live one, and those with labels."""
    if model is not None:
        for version in model.versions:
            if version.version in model.pointers.kept:
                yield version
