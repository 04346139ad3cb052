"""Storage: where model versions live."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from tfaas_core.errors import StorageFull, StorageUnavailable
from tfaas_core.model import ModelVersion

MODEL = "model"
"""The name, in a staging folder and in an artifact's, of the model file or folder."""


class Claim(msgspec.Struct, frozen=True):
    """The exclusive right to change one name, held inside ``Storage.claim``'s context."""

    name: str


class DefaultChoice(msgspec.Struct, frozen=True):
    """The model that somebody chose as the default one; ``chosen`` is when, like ``created``."""

    name: str
    chosen: str


class Storage(ABC):
    """Keeps versions 1, 2, 3 ... of named models, their files and their records.

    Every method may block, and is called from worker threads, of several processes at once, but
    for one name changes only under its claim. A version is whole and listed, or not there:
    also when the process is killed at any moment. What ``commit`` returned survives that.

    Methods raise StorageUnavailable where the storage cannot be reached, read or written at the
    moment, and StorageFull where there is no room.
    """

    @abstractmethod
    def open(self) -> None:
        """Called once per process before anything else. Raises ConfigError where it cannot work."""

    @abstractmethod
    def sweep(self) -> None:
        """Removes what killed processes left half-done. Called while no other process is open."""

    @abstractmethod
    def close(self) -> None:
        """Gives everything back."""

    @abstractmethod
    def claim(self, name: str) -> AbstractContextManager[Claim]:
        """The right to change ``name``, for a ``with`` block; ends with the process at the latest.

        Raises Busy where another request or process holds it.
        """

    @abstractmethod
    def stage(self) -> Path:
        """A new, empty, private local folder for the files of an upload."""

    @abstractmethod
    def discard(self, staging: Path) -> None:
        """Removes a staging folder that will not be committed. Does nothing where it is gone."""

    @abstractmethod
    def commit(self, claim: Claim, staging: Path, version: ModelVersion) -> ModelVersion:
        """Stores the staging folder as the next version of the claimed name, and consumes it.

        Returns ``version`` with its number set: one more than the highest that the name has.
        """

    @abstractmethod
    def prune(self, claim: Claim, keep: int) -> None:
        """Removes all but the newest ``keep`` versions of the claimed name."""

    @abstractmethod
    def delete(self, claim: Claim) -> bool:
        """Removes the claimed name with all its versions; False where there was none.

        The last call under a claim: from then on the name is free for others.
        """

    @abstractmethod
    def newest(self, name: str) -> ModelVersion | None:
        """The newest version of ``name``, or None."""

    @abstractmethod
    def list(self) -> list[ModelVersion]:
        """The newest version of every name, sorted by name."""

    @abstractmethod
    def default(self) -> DefaultChoice | None:
        """What ``choose_default`` stored last, whether that model is still there or not."""

    @abstractmethod
    def choose_default(self, choice: DefaultChoice) -> None:
        """Stores a choice in the place of the one before; it needs no claim."""

    @abstractmethod
    def artifact(self, version: ModelVersion) -> Path:
        """A local path, ready to be loaded from: the version's model file or folder."""


StorageFactory: TypeAlias = Callable[[dict[str, Any], Path], Storage]
"""Makes a Storage of the ``[storage]`` table (without ``kind``) and the folder that relative paths
start from. Raises ConfigError where the table is wrong."""


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Makes an OSError inside the block StorageFull or StorageUnavailable.

    ``doing`` starts the message: ``storing model 'vk'``.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull(f"{doing} failed: the server's disk or quota is full") from error
        reason = error.strerror or type(error).__name__
        raise StorageUnavailable(f"{doing} failed: {reason}") from error
