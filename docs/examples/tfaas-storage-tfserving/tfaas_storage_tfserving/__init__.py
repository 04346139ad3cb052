"""The storage ``tfserving``: what TensorFlow Serving or Triton serves, read in place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.configured_path import configured_path
from tfaas_core.errors import ConfigError
from tfaas_core.hookspecs import hookimpl
from tfaas_core.storage import StorageFactory, takes
from tfaas_storage_tfserving.records import Records
from tfaas_storage_tfserving.sources import Sources
from tfaas_storage_tfserving.storage import TfServingStorage
from tfaas_storage_tfserving.table import SOURCES, TfServingTable


class _Document(msgspec.Struct, frozen=True):
    storage: TfServingTable


@takes(TfServingTable)
def make_tfserving_storage(table: dict[str, Any], base: Path) -> TfServingStorage:
    """A storage for a ``[storage]`` table; ``base`` is where relative paths start.

    Raises ConfigError if the table is wrong.
    """
    try:
        settings = msgspec.convert({"storage": table}, _Document).storage
    except msgspec.ValidationError as error:
        raise ConfigError(str(error)) from None
    (key,) = (key for key in SOURCES if getattr(settings, key))
    where = _absolute(getattr(settings, key), base, key)
    records = _absolute(settings.records, base, "records")
    kept = records / f".config-{sha256(os.fsencode(where)).hexdigest()[:16]}"
    sources = Sources(key, where, kept, settings.model_name)
    return TfServingStorage(sources, Records(records), base.absolute(), settings.poll_s)


def _absolute(text: str, base: Path, key: str) -> Path:
    return Path(os.path.abspath(configured_path(text, base, f"$.storage.{key}")))


@hookimpl
def tfaas_register_storages() -> Mapping[str, StorageFactory]:
    """Registers ``kind = "tfserving"``."""
    return {"tfserving": make_tfserving_storage}
