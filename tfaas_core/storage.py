"""Storage: where model versions live."""

from __future__ import annotations

import builtins
import errno
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec

from tfaas_core.errors import SEE_LOG, DamagedFile, StorageFull, StorageUnavailable, UnknownVersion
from tfaas_core.models.checksum import is_whole
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model, Pointers

MODEL = "model"
"""The name, in a staging folder and in an artifact's, of the model file or folder."""

_POLL_S = 0.25
"""How often a storage that nobody tells of changes is asked for its revision."""


class Claim(msgspec.Struct, frozen=True):
    """The exclusive right to change one name, held inside ``Storage.claim``'s context."""

    name: str


class DefaultChoice(msgspec.Struct, frozen=True):
    """The model that somebody chose as the default one; ``chosen`` is when, like ``created``."""

    name: str
    chosen: str


class Migrations(ABC):
    """The schema of a storage's database. ``tfaas db`` shows and changes it."""

    @abstractmethod
    def current(self) -> str:
        """The revision that the database has; empty if it has no schema yet."""

    @abstractmethod
    def newest(self) -> str:
        """The revision that this TFaaS works with."""

    @abstractmethod
    def knows(self, revision: str) -> bool:
        """Whether this is ``newest`` or one before it; others are of a newer TFaaS."""

    @abstractmethod
    def upgrade(self) -> None:
        """Brings the database to ``newest``, under a lock; does nothing if it is there.

        Raises ConfigError if the database is newer than that.
        """


class Storage(ABC):
    """Keeps versions 1, 2, 3 ... of named models, their files, their records and pointers.

    Every method may block, and is called from worker threads, of several processes and perhaps
    several hosts at once, but for one name changes only under its claim. A version is whole and
    listed, or not there: also when the process is killed at any moment. What a method that changes
    something returned from survives that.

    That goes for a power cut, too: files that the storage writes itself are synced.

    Methods raise StorageUnavailable if the storage cannot be reached, read or written at the
    moment, and StorageFull if there is no room; no OSError. Reading works even if writing does
    not. A file of any size may come, so none is ever in memory as a whole.
    """

    lease_s: float = 0.0
    """How long, at most, a claim outlives a process that was killed. If that is not 0, claims are
    leases: their holder renews them, and who could not, for so long, has lost its claim."""

    starts_programs: bool = False
    """Whether it starts other programs. If not, HTTP workers are confined so that it cannot."""

    def written(self) -> Sequence[Path] | None:
        """The files and folders on this machine that it changes, and all beneath; may precede open.

        HTTP workers are confined so that they change no others, but temporary files. None: nobody
        knows, and they are not confined so.
        """
        return None

    @abstractmethod
    def open(self) -> None:
        """Called once per process before anything else. Raises ConfigError if it cannot work.

        If it raises StorageUnavailable, other methods may be called all the same, later, when
        the storage may be back.
        """

    def reopen(self) -> None:
        """Called in the place of ``open`` by processes of a server that has opened the storage:
        what is missing now was taken away, and is not to be made anew."""
        self.open()

    def examine(self) -> list[str]:
        """What ``open`` and ``sweep`` would warn of, a sentence each, with the key.

        May precede ``open``.

        Raises ConfigError for what ``open`` would raise an error for, as far as that can be told
        without changing anything. A storage on another machine may ask that, for a few seconds.
        """
        return []

    @abstractmethod
    def sweep(self) -> None:
        """Removes what killed processes left half-done, and nothing that is in use elsewhere."""

    @abstractmethod
    def close(self) -> None:
        """Gives everything back."""

    @abstractmethod
    def claim(self, name: str) -> AbstractContextManager[Claim]:
        """The right to change ``name``, for a ``with`` block.

        It ends with the process at the latest, or ``lease_s`` after that. Under a claim that was
        lost, whatever would change something raises Busy or StorageUnavailable, and changes
        nothing. Raises Busy if another request, process or host holds it.
        """

    @abstractmethod
    def stage(self) -> Path:
        """A new, empty, private local folder for the files of an upload."""

    @abstractmethod
    def discard(self, staging: Path) -> None:
        """Removes a staging folder that will not be committed. Does nothing if it is gone."""

    @abstractmethod
    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        """Stores the staging folder as a version of the claimed name, and consumes it.

        Returns ``version`` with its number set. If that is 0, it becomes one more than the
        highest that the name ever had; one that is given must be higher than those that it has, or
        DoesNotFit is raised. The version is live at once, and the one before no longer, unless
        ``live`` is False and the name has another version.
        """

    @abstractmethod
    def point(self, claim: Claim, pointers: Pointers) -> None:
        """Sets all pointers of the claimed name, in one step. They point at versions it has."""

    @abstractmethod
    def prune(self, claim: Claim, keep: int) -> bool:
        """Removes the claimed name's versions but the newest ``keep``, the live and the labelled.

        Returns whether there were any to remove.
        """

    @abstractmethod
    def delete_version(self, claim: Claim, number: int) -> bool:
        """Removes one version of the claimed name; False if there was none.

        The caller sees to it that it is neither live nor labelled.
        """

    @abstractmethod
    def delete(self, claim: Claim) -> bool:
        """Removes the claimed name with all its versions; False if there was none.

        The last call under a claim: from then on the name is free for others.
        """

    @abstractmethod
    def model(self, name: str) -> Model | None:
        """The model ``name``, or None."""

    @abstractmethod
    def list(self) -> list[Model]:
        """Every model, sorted by name. Cheap if little has changed since the last call."""

    @abstractmethod
    def default(self) -> DefaultChoice | None:
        """What ``choose_default`` stored last, whether that model is still there or not."""

    @abstractmethod
    def choose_default(self, choice: DefaultChoice) -> None:
        """Stores a choice in the place of the one before; it needs no claim."""

    @abstractmethod
    def artifact(self, version: ModelVersion) -> Path:
        """A local path, ready to be loaded from: the version's model file or folder.

        Raises UnknownVersion if the version was removed, DamagedFile if a file of it is not
        what was stored, and StorageFull if it cannot be brought to this machine.
        """

    def verify(self, version: ModelVersion) -> None:
        """Reads all files of the version where they are stored, past any cache.

        Raises what ``artifact`` does. This one trusts that, and compares the checksum; a storage
        with a cache does better.
        """
        if not is_whole(self.artifact(version), version.checksum):
            raise DamagedFile(
                f"the files of {version.reference} are not what was stored; upload it again",
                model=version.name,
            )

    def broken_records(self) -> builtins.list[str]:
        """A sentence for each record that cannot be read, so that no model lists its version.

        Reads them all. A storage whose records cannot break has none.
        """
        return []

    @abstractmethod
    def revision(self) -> str:
        """Differs after each change of what is stored, whoever made it. Cheap."""

    def wait_for_change(self, seen: str, timeout_s: float) -> str:
        """Waits until the revision is another than ``seen``, ``timeout_s`` at most; returns it.

        Called from one thread only. This one asks again and again; a storage that is told of
        changes does better.
        """
        end_s = time.monotonic() + timeout_s
        while (revision := self.revision()) == seen:
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                break
            time.sleep(min(_POLL_S, left_s))
        return revision

    def migrations(self) -> Migrations | None:
        """The schema that this storage needs; None if it needs none. May precede ``open``."""
        return None


StorageFactory: TypeAlias = Callable[[dict[str, Any], Path], Storage]
"""Makes a Storage of the ``[storage]`` table (without ``kind``) and the folder that relative paths
start from. Raises ConfigError if the table is wrong."""

F = TypeVar("F", bound=StorageFactory)


def takes(table: type[msgspec.Struct]) -> Callable[[F], F]:
    """Marks a StorageFactory: its keys are those of ``table``, which ``tfaas config`` prints."""

    def mark(factory: F) -> F:
        vars(factory)["table"] = table
        return factory

    return mark


def removed(version: ModelVersion) -> UnknownVersion:
    """What ``Storage.artifact`` raises if the version is not there any more."""
    return UnknownVersion(f"version {version.reference} was removed just now", model=version.name)


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR}


@contextmanager
def disk_errors(doing: str, folder: Path) -> Iterator[None]:
    """Makes an OSError inside the block what ``disk_error`` makes of it."""
    try:
        yield
    except OSError as error:
        raise disk_error(doing, folder, error) from error


def disk_error(doing: str, folder: Path, error: OSError) -> StorageFull | StorageUnavailable:
    """What is said of an OSError. ``doing`` starts the message: ``storing model 'vk'``.

    ``folder`` is where, unless the error itself names a file elsewhere; clients are not told that.
    """
    file = Path(error.filename) if isinstance(error.filename, str) else folder
    is_there = not file.is_absolute() or file.is_relative_to(folder)
    place = folder if is_there else file.parent
    if error.errno in _NO_ROOM:
        full = f"{doing} failed: the server's disk or quota is full"
        return StorageFull(f"{full} in {place}; make room there", full)
    reason = error.strerror or type(error).__name__
    message = f"{doing} failed in {place}: {reason}{_remedy(error)}"
    return StorageUnavailable(message, f"{doing} failed: {reason}{SEE_LOG}")


def _remedy(error: OSError) -> str:
    if error.errno in _NO_RIGHT:
        return "; give the account of the server the right to read and write there"
    return "; see that this folder is there" if error.errno in _NOT_THERE else ""
