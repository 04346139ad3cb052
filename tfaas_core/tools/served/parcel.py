"""Parcel: the files of a served version, on their way into an upload."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.errors import CannotServe, TooLarge
from tfaas_core.files.archives import archive_at
from tfaas_core.files.regular_file import read_regular
from tfaas_core.models.checksum import PREFIX, file_sha256, folder_checksum
from tfaas_core.storage import MODEL, disk_errors
from tfaas_core.system.output.progress import Advance
from tfaas_core.tools.served.logged_requests import LOGGED_REQUESTS
from tfaas_core.tools.served.sources import ServedModel
from tfaas_core.tools.served.versions import FoundVersion, model_in
from tfaas_core.tools.transfer import copy_file
from tfaas_core.uploads.bundle import BundleLimits
from tfaas_core.uploads.companions import (
    COMPANIONS,
    LABELS,
    MAX_TEXT_FILE_BYTES,
    MAX_WARMUP_BYTES,
    PARAMS,
    WARMUP_FILE,
    Companions,
    read_params,
)
from tfaas_core.uploads.folder import regular_files
from tfaas_core.uploads.form import FormFile
from tfaas_core.uploads.package import Received


class Parcel(msgspec.Struct, frozen=True):
    """A version's ``model``, a file or a folder, of which ``files`` are those to store.

    ``params`` are what is to be said of it; ``labels`` are the names of classes, and ``examples`` a
    ``warmup.json``, if there are any. ``logged`` are requests that warm it up in TensorFlow
    Serving, if there is no ``warmup.json``.
    """

    model: Path
    files: tuple[Path, ...]
    size_bytes: int
    params: dict[str, Any]
    labels: Path | None
    examples: Path | None
    logged: Path | None

    def checksum(self) -> str:
        """That of the stored artifact. Blocks. Raises OSError."""
        if self.files == (self.model,):
            return f"{PREFIX}{file_sha256(self.model)}"
        return folder_checksum({self._inside(file): file_sha256(file) for file in self.files})

    def check(self, limits: BundleLimits) -> None:
        """Raises TooLarge if it is more than an upload may hold."""
        for noun, count, key in (
            ("bytes", self.size_bytes, "max_unpacked_bytes"),
            ("files", len(self.files), "max_bundle_files"),
        ):
            if count > (most := getattr(limits, key)):
                raise TooLarge(f"it has {count} {noun}, {most} are allowed (limits.{key})")

    def put(self, staging: Path, advance: Advance) -> Received:
        """Copies everything but the logged requests into a staging folder. Blocks.

        Raises OSError for what is too large, and what ``disk_errors`` makes of others.
        """
        said = msgspec.json.encode(self.params) if self.params else None
        labels = _content(self.labels, MAX_TEXT_FILE_BYTES)
        examples = _content(self.examples, MAX_WARMUP_BYTES)
        with disk_errors(f"copying {self.model}", staging):
            for file in self.files:
                place = staging / MODEL
                if file != self.model:
                    place /= self._inside(file)
                    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                copy_file(file, place, advance)
        model = staging / MODEL
        return Received(
            model=FormFile(model, self._file_name, self.size_bytes, "", archive_at(model)),
            params=form_file(staging, PARAMS, said),
            labels=form_file(
                staging, LABELS[0], labels, "" if self.labels is None else self.labels.name
            ),
            warmup=form_file(staging, WARMUP_FILE, examples),
        )

    @property
    def _file_name(self) -> str:
        if self.files != (self.model,):
            return ""
        # As graphs are called, so that their runtime knows it for one.
        return self.model.name if self.model.suffix == ".pb" else f"{MODEL}.pb"

    def _inside(self, file: Path) -> str:
        return file.relative_to(self.model).as_posix()


def parcel_of(model: ServedModel, version: FoundVersion) -> Parcel:
    """The files of a version. Blocks.

    Raises CannotServe if there are none, BadBody for links and the like, and OSError.
    """
    found = model_in(version.folder, model.file_name)
    if found is None:
        what = model.file_name or "SavedModel and no model.graphdef"
        raise CannotServe(f"{version.folder} holds no {what}")
    place = found if found.is_dir() else found.parent
    beside = Companions.at(place, version.folder)
    files = [found] if found.is_file() else _own_files(found)
    logged = found / LOGGED_REQUESTS
    return Parcel(
        model=found,
        files=tuple(files),
        size_bytes=_size_bytes(files),
        params=(model.params if found.is_file() else {}) | _said(beside),
        labels=beside.labels or next(iter(model.label_files), None),
        examples=beside.warmup,
        logged=logged if beside.warmup is None and logged.is_file() else None,
    )


def form_file(staging: Path, name: str, content: bytes | None, called: str = "") -> FormFile | None:
    """A small file of an upload, written into its staging folder; None if there is no content.

    ``called`` is what it was called before. Blocks. Raises what ``disk_errors`` does.
    """
    if content is None:
        return None
    file = staging / name
    with disk_errors(f"writing {name}", staging):
        file.write_bytes(content)
    return FormFile(file, called or name, len(content), "", None)


def _content(file: Path | None, most_bytes: int) -> bytes | None:
    return None if file is None else read_regular(file, most_bytes)


def _own_files(folder: Path) -> list[Path]:
    return [
        file
        for file in regular_files(folder)
        if not (file.parent == folder and file.name in COMPANIONS)
    ]


def _size_bytes(files: Sequence[Path]) -> int:
    size_bytes = 0
    for file in files:
        with open(file, "rb"):  # whether it can be read
            size_bytes += os.stat(file).st_size
    return size_bytes


def _said(beside: Companions) -> dict[str, Any]:
    """What the params beside a model say, but for its name, which is that of the folder."""
    if beside.params is None:
        return {}
    document = read_params(beside.params).document
    return {key: value for key, value in document.items() if key != "name"}
