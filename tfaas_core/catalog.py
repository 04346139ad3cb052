"""Catalog: which models and versions exist, as one HTTP worker knows it, and the default one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tfaas_core.errors import UnknownModel
from tfaas_core.model import ModelVersion
from tfaas_core.storage import DefaultChoice, Storage


class Catalog:
    """The newest version of every model, in memory. All methods belong to the event loop."""

    def __init__(
        self, storage: Storage, default: str, on_gone: Callable[[ModelVersion], None]
    ) -> None:
        """``on_gone`` is told of each version that was replaced or deleted."""
        self._storage = storage
        self._configured_default = default
        self._on_gone = on_gone
        self._versions: dict[str, ModelVersion] = {}
        self._default = ""
        # Two looks at the storage must not overtake each other.
        self._looking = asyncio.Lock()

    async def load(self) -> None:
        """Reads all of the storage."""
        async with self._looking:
            versions = await asyncio.to_thread(self._storage.list)
            choice = await asyncio.to_thread(self._storage.default)
            names = self._versions.keys() | {version.name for version in versions}
            found = {version.name: version for version in versions}
            for name in names:
                self._put(name, found.get(name))
            self._find_default(choice)

    async def refresh(self, name: str) -> None:
        """Looks one name up again, because somebody changed it."""
        async with self._looking:
            self._put(name, await asyncio.to_thread(self._storage.newest, name))
            self._find_default(await asyncio.to_thread(self._storage.default))

    def get(self, name: str | None) -> ModelVersion:
        """The version that serves ``name``, or with None, the default model's.

        Raises UnknownModel.
        """
        if name is None:
            name = self._configured_default or self._default
            if not name:
                raise UnknownModel("there is no model yet; upload one to /upload")
        version = self._versions.get(name)
        if version is None:
            raise UnknownModel(f"there is no model {name[:140]!r}; see /models", model=name[:140])
        return version

    def list(self) -> list[ModelVersion]:
        """All that is served, sorted by name."""
        return [self._versions[name] for name in sorted(self._versions)]

    def _put(self, name: str, version: ModelVersion | None) -> None:
        before = self._versions.get(name)
        if version is None:
            self._versions.pop(name, None)
        else:
            self._versions[name] = version
        if before is not None and (version is None or before.key != version.key):
            self._on_gone(before)

    def _find_default(self, choice: DefaultChoice | None) -> None:
        """The newest upload, or the model that was chosen after it."""
        newest = max(self._versions.values(), key=lambda v: v.created, default=None)
        self._default = "" if newest is None else newest.name
        if newest and choice and choice.name in self._versions and choice.chosen > newest.created:
            self._default = choice.name
