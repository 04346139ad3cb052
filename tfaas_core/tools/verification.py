"""Verification: whether all that a storage has can still be read, and is what was stored."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tfaas_core.errors import TfaasError, UnknownVersion
from tfaas_core.models.model import ModelVersion
from tfaas_core.storage import Storage


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a version; ``model`` is empty if a record is broken, and nobody knows."""

    model: str
    version: int
    error: str


class Verified(msgspec.Struct, frozen=True):
    """A version that is as it was stored."""

    model: str
    version: int


def verified(storage: Storage) -> Iterator[Verified | Fault]:
    """Reads every version of an open storage, one after the other, and changes nothing.

    Raises what ``Storage.list`` raises. A version that is removed meanwhile is passed over.
    """
    yield from (Fault("", 0, message) for message in storage.broken_records())
    for model in storage.list():
        for version in model.versions:
            try:
                fault = _fault(storage, version)
            except UnknownVersion:
                continue
            yield fault or Verified(version.name, version.version)


def _fault(storage: Storage, version: ModelVersion) -> Fault | None:
    try:
        storage.verify(version)
    except UnknownVersion:
        raise
    except TfaasError as error:
        return Fault(version.name, version.version, error.message)
    return None
