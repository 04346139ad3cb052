"""What the parts of Storage's contract have in common: a storage, and questions to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, TypeVar

import pytest

from tfaas_core.models.model import ModelVersion
from tfaas_core.storage import Storage
from tfaas_core.testing.children import apart
from tfaas_core.testing.storage_processes import MakeStorage
from tfaas_core.testing.suites.time_limited import TimeLimited

T = TypeVar("T")


def live(storage: Storage) -> list[ModelVersion]:
    """The live version of every model."""
    return [model.live for model in storage.list()]


def numbers(storage: Storage, name: str) -> list[int]:
    """The numbers of the versions of a model, in the order that they are listed in."""
    model = storage.model(name)
    return [] if model is None else [version.version for version in model.versions]


def live_number(storage: Storage, name: str) -> int:
    """The number of the live version of a model; 0 if there is no such model."""
    model = storage.model(name)
    return 0 if model is None else model.live.version


def live_version(storage: Storage) -> ModelVersion:
    """The live version of the model ``vk``, which is there."""
    model = storage.model("vk")
    assert model is not None
    return model.live


READING: dict[str, Callable[[Storage], object]] = {
    "model": lambda storage: storage.model("vk"),
    "list": lambda storage: storage.list(),
    "default": lambda storage: storage.default(),
    "revision": lambda storage: storage.revision(),
    "artifact": lambda storage: storage.artifact(live_version(storage)),
}
"""What asks a storage that has the model ``vk``, and changes nothing, by the name of the method."""


class StorageCase(TimeLimited):
    """A storage to test, of the kind that a subclass names."""

    limit_s = 600.0

    make_storage: ClassVar[MakeStorage]
    """Makes a storage, not open yet, that keeps its models under a folder.

    Called with one folder several times, in other processes too, it must make storages of the same
    models: so it is a class or function that can be pickled.
    """

    crosses_processes: ClassVar[bool] = True
    """Whether processes share such a storage, and it outlives them."""

    forks = True

    survives_a_fork: ClassVar[bool] = True
    """Whether a process whose parent has used such a storage can make one of its own. Where a
    library's threads do not, as a client's may not, the processes of the tests are forks of an
    idle one."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "storage"

    @pytest.fixture
    def storage(self, folder: Path) -> Iterator[Storage]:
        storage = type(self).make_storage(folder)
        storage.open()
        yield storage
        storage.close()

    @classmethod
    def apart(cls, work: Callable[..., T], folder: Path) -> T:
        """What ``work`` returns of such storages under ``folder``, in a process of its own."""
        return apart(work, cls.make_storage, folder, forks=cls.survives_a_fork)

    @pytest.fixture
    def crossing(self) -> None:
        if not self.crosses_processes:
            pytest.skip("this storage belongs to one process")
