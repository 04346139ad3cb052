"""Storages to copy between, and what is asked of a copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tests.backends.storages.sql.databases import sqlite_storage
from tfaas_core.storage import Storage
from tfaas_core.system.output.progress import Advance
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.storage_processes import MakeStorage, fault_of
from tfaas_core.tools.transfer import Transfer, Transferred

STORAGES: dict[str, MakeStorage] = {
    "filesystem": FilesystemStorage,
    "sqlite": sqlite_storage,
    "fake": FakeStorage,
}
"""Each is copied from and to."""

CROSSING = ["filesystem", "sqlite"]
"""Those that outlive their process."""


@contextmanager
def silent(_name: str, _size_bytes: int) -> Iterator[Advance]:
    yield lambda _bytes: None


def copy(source: Storage, target: Storage, name: str = "vk") -> Transferred:
    return Transfer(source, target, silent).copy(name)


def assert_same(source: Storage, target: Storage) -> None:
    assert target.list() == source.list()
    for model in target.list():
        for version in model.versions:
            assert fault_of(target, version) is None


def leftovers(folder: Path) -> list[Path]:
    """What staging folders hold, of either storage."""
    return [*folder.glob(".staging-*"), *(folder / ".staging").glob("*")]
