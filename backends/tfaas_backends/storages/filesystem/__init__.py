"""The storage ``filesystem``, a plugin: a folder on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from tfaas_backends.storages.filesystem.storage import FilesystemStorage
from tfaas_core.configured_path import configured_path
from tfaas_core.errors import ConfigError
from tfaas_core.hookspecs import hookimpl
from tfaas_core.storage import StorageFactory, takes


class FilesystemTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[storage]`` table of kind ``filesystem``."""

    root: Annotated[str, msgspec.Meta(min_length=1)] = "models"
    """The folder that the models are kept in; it is made if it is missing."""


class _Document(msgspec.Struct, frozen=True):
    storage: FilesystemTable


@takes(FilesystemTable)
def make_filesystem_storage(table: dict[str, Any], base: Path) -> FilesystemStorage:
    """A FilesystemStorage for a ``[storage]`` table; ``base`` is where a relative root starts.

    Raises ConfigError if the table is wrong.
    """
    try:
        settings = msgspec.convert({"storage": table}, _Document).storage
    except msgspec.ValidationError as error:
        raise ConfigError(str(error)) from None
    return FilesystemStorage(configured_path(settings.root, base, "$.storage.root"))


@hookimpl
def tfaas_register_storages() -> Mapping[str, StorageFactory]:
    """Registers ``kind = "filesystem"``."""
    return {"filesystem": make_filesystem_storage}
