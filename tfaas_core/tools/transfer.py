"""Transfer: models with all their versions, from one storage to another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

import msgspec

from tfaas_core.errors import DamagedFile, DoesNotFit, UnknownModel
from tfaas_core.models.checksum import artifact_checksum
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model
from tfaas_core.storage import MODEL, Claim, DefaultChoice, Storage, disk_errors
from tfaas_core.system.output.progress import Advance
from tfaas_core.uploads.folder import regular_files
from tfaas_core.uploads.quota import Quota

Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Advance]]
"""Entered once for a model that is copied, with its name and how many bytes there are to copy."""

_CHUNK_BYTES = 1 << 20


class Transferred(msgspec.Struct, frozen=True):
    """What became of one model: how many versions were copied, and how many were there already."""

    name: str
    copied: int
    there: int


class Transfer:
    """Copies models between two open storages, with numbers, records, pointers and labels.

    What is there already is left as it is, so a copy that was interrupted is simply made again.
    All methods block, and raise what storages raise.
    """

    def __init__(
        self, source: Storage, target: Storage, progress: Progress, quota: Quota | None = None
    ) -> None:
        """``quota``: that of the target; None: anything may be stored there."""
        self._source = source
        self._target = target
        self._progress = progress
        self._quota = quota or Quota(target)

    def names(self) -> list[str]:
        """The names of all models of the source, sorted."""
        return [model.name for model in self._source.list()]

    def copy(self, name: str) -> Transferred:
        """Makes the model ``name`` of the target what it is at the source.

        Raises UnknownModel; DoesNotFit if the target has a version that the source has not,
        and that keeps it from becoming the same, before anything is copied; DamagedFile if the
        files of a version are not what its record says, StorageFull if a version has no room.
        Versions before that one are copied then.
        """
        self._quota.check_name(name)
        if self._source.model(name) is None:
            raise UnknownModel(f"there is no model {name[:140]!r} to copy", model=name[:140])
        with self._target.claim(name) as claim:
            model = self._source.model(name)
            if model is None:
                raise UnknownModel(f"model {name!r} was removed just now", model=name)
            missing = _missing(model, self._target.model(name))
            if missing:
                size_bytes = sum(version.size_bytes for version in missing)
                with self._progress(name, size_bytes) as advance:
                    for version in missing:
                        self._store(claim, version, version == model.live, advance)
            self._point(claim, model)
        return Transferred(name, len(missing), len(model.versions) - len(missing))

    def compared(self, name: str) -> Transferred:
        """What ``copy`` would say; raises what that raises before it copies anything."""
        model = self._source.model(name)
        if model is None:
            raise UnknownModel(f"there is no model {name[:140]!r} to copy", model=name[:140])
        missing = _missing(model, self._target.model(name))
        return Transferred(name, len(missing), len(model.versions) - len(missing))

    def copy_default(self) -> DefaultChoice | None:
        """Takes over which model was chosen as the default, if the target has no choice.

        Returns it, or None if nothing was to be done.
        """
        choice = self._source.default()
        if choice is None or self._target.default() is not None:
            return None
        if self._target.model(choice.name) is None:
            return None
        self._target.choose_default(choice)
        return choice

    def _store(self, claim: Claim, version: ModelVersion, live: bool, advance: Advance) -> None:
        artifact = self._source.artifact(version)
        staging = self._target.stage()
        try:
            self._quota.reserve(staging, version.size_bytes)
            self._quota.reserve_name(staging, claim.name)
            with disk_errors(f"copying {version.reference}", staging):
                _copy(artifact, staging / MODEL, advance)
                checksum = artifact_checksum(staging / MODEL)
            if checksum != version.checksum:
                raise DamagedFile(
                    f"the files of {version.reference} have the checksum {checksum}, but were "
                    f"stored with {version.checksum}: they are damaged, and are not copied",
                    model=version.name,
                )
            self._quota.commit(claim, staging, version, live)
        finally:
            self._target.discard(staging)
            self._quota.release(staging)

    def _point(self, claim: Claim, model: Model) -> None:
        there = self._target.model(claim.name)
        if there is not None and there.pointers != model.pointers:
            self._target.point(claim, model.pointers)


def _missing(model: Model, there: Model | None) -> list[ModelVersion]:
    """The versions that the target has not yet; raises DoesNotFit if they cannot be added."""
    if there is None:
        return list(model.versions)
    present = {version.version: version for version in there.versions}
    missing = []
    for version in model.versions:
        same = present.get(version.version)
        if same is None:
            missing.append(version)
        elif (same.key, same.checksum) != (version.key, version.checksum):
            raise DoesNotFit(
                f"the target has another {version.reference}: {_told(same)} there, "
                f"{_told(version)} here",
                model=model.name,
            )
    first = missing[0] if missing else model.newest
    if first.version < there.newest.version:
        raise DoesNotFit(
            f"{first.reference} ({_told(first)}) is lower than {there.newest.reference} "
            f"({_told(there.newest)}), which the target has already: {_WHY[bool(missing)]}",
            model=model.name,
        )
    return missing


_WHY = {
    True: "it cannot be added",
    False: "the target has gone on, and is left as it is",
}


def _told(version: ModelVersion) -> str:
    return f"of {version.created}, {version.checksum[:19]}"


def _copy(artifact: Path, target: Path, advance: Advance) -> None:
    if not artifact.is_dir():
        copy_file(artifact, target, advance)
        return
    target.mkdir(mode=0o700)
    for file in regular_files(artifact):
        place = target / file.relative_to(artifact)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy_file(file, place, advance)


def copy_file(source: Path, target: Path, advance: Advance) -> None:
    """Copies what a new file ``target`` is to hold. Blocks. Raises OSError."""
    with source.open("rb") as reading, target.open("xb") as writing:
        while chunk := reading.read(_CHUNK_BYTES):
            writing.write(chunk)
            advance(len(chunk))
