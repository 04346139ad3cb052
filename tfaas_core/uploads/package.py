"""Package: an upload's files, sorted out: the model, its params, labels and examples."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.errors import BadBody, UnknownModel
from tfaas_core.files.archives import GZIP, Archive, archive_at
from tfaas_core.models.checksum import PREFIX, artifact_checksum
from tfaas_core.models.examples import Example, examples_in
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.storage import disk_errors
from tfaas_core.texts.base64_text import decode_base64
from tfaas_core.uploads.bundle import BUNDLES, BundleLimits, Entry, HasRoom, unpack
from tfaas_core.uploads.companions import (
    WARMUP_FILE,
    read_labels,
    read_params,
    read_warmup,
)
from tfaas_core.uploads.contents import contents_of
from tfaas_core.uploads.form import FormFile
from tfaas_core.uploads.runtime_choice import RuntimeChoice

_UNPACKED = "unpacked"
_CHUNK_BYTES = 1 << 20


class Received(msgspec.Struct, frozen=True):
    """The files of an upload as they came: each in the staging folder, or None.

    ``model`` may be a folder, whose files are all the model's.
    """

    model: FormFile
    params: FormFile | None = None
    labels: FormFile | None = None
    warmup: FormFile | None = None
    model_is_base64: bool = False
    must_be_bundle: bool = False
    must_be_gzip: bool = False


class Package(msgspec.Struct, frozen=True):
    """What an upload holds.

    ``model`` is a file, or a folder like a SavedModel's, always under the name MODEL in the staging
    folder; ``model_file`` is what its record calls it, and ``runtime`` the one that is to load it.
    ``name`` is the folder at the top of a bundle, empty for anything else. ``checksum`` is that of
    ``tfaas_core.models.checksum``. ``examples`` are those of ``warmup`` and of the params.
    """

    name: str
    model: Path
    model_file: str
    runtime: str
    params: Params
    labels: tuple[str, ...]
    labels_file: str
    size_bytes: int
    checksum: str
    warmup: dict[str, Any] | None
    examples: list[Example]


def sort_out(
    received: Received,
    staging: Path,
    limits: BundleLimits,
    runtimes: RuntimeChoice,
    has_room: HasRoom = lambda _size_bytes: None,
) -> Package:
    """Makes a Package of what was received, and unpacks it if it is a bundle.

    ``runtimes`` find the model in that, and one of them is to load it. ``has_room`` is asked about
    all that is written beside what was received. Blocks. Parts of a form win over what a bundle
    holds. Raises BadBody, DoesNotFit, CannotServe, TooLarge, and StorageFull.
    """
    model = received.model
    if received.model_is_base64:
        model = _from_base64(model, has_room)
    _check_kind(received, model.archive)
    params, labels = received.params, received.labels
    said = Params() if params is None else read_params(params.path)
    name, file_name, examples = "", model.filename, received.warmup
    if model.archive in BUNDLES:
        with disk_errors("unpacking the bundle", staging):
            unpack(model.path, staging / _UNPACKED, limits, has_room)
            bundle = contents_of(staging / _UNPACKED, runtimes, said.runtime if params else None)
            name, file_name = bundle.name, bundle.file_name
            if params is None:
                said = bundle.said
                _found(bundle.params, staging / "params.json")
            labels = labels or _found(bundle.labels, staging / "labels.txt")
            examples = examples or _found(bundle.warmup, staging / WARMUP_FILE)
            _replace(model.path, bundle.model, staging / _UNPACKED)
    return _package(runtimes, name, file_name, model, said, labels, examples)


def _package(
    runtimes: RuntimeChoice,
    name: str,
    file_name: str,
    model: FormFile,
    params: Params,
    labels: FormFile | None,
    examples: FormFile | None,
) -> Package:
    size_bytes, checksum = _measured(model.path, model)
    lines = () if labels is None else read_labels(labels.path, labels.filename)
    warmup = None if examples is None else read_warmup(examples.path)
    carried = examples_in(warmup, params.document)
    runtime, model_file = runtimes.record_of(model.path, file_name, params.runtime)
    return Package(
        name=name,
        model=model.path,
        model_file=model_file,
        runtime=runtime,
        params=params,
        labels=lines,
        labels_file=(labels.filename or "labels.txt") if labels and lines else "",
        size_bytes=size_bytes,
        checksum=checksum,
        warmup=warmup,
        examples=carried,
    )


def entries_of(version: ModelVersion, artifact: Path, runtimes: RuntimeChoice) -> list[Entry]:
    """What a bundle of a stored version holds: all that ``sort_out`` would find in it again.

    A model that is one file is called there what its runtime calls it. Blocks. Raises UnknownModel
    if the version was removed meanwhile.
    """
    top = version.name
    if artifact.is_dir():
        files = sorted(path for path in artifact.rglob("*") if path.is_file())
        entries = [Entry(f"{top}/{path.relative_to(artifact)}", path) for path in files]
    elif artifact.is_file():
        name = runtimes.file_name(version.runtime, version.model_file)
        entries = [Entry(f"{top}/{name}", artifact)]
    else:
        raise UnknownModel(f"model {top!r} was removed just now", model=top)
    if version.params:
        entries.append(Entry(f"{top}/params.json", msgspec.json.encode(version.params)))
    if version.labels:
        labels = "".join(f"{label}\n" for label in version.labels)
        entries.append(Entry(f"{top}/labels.txt", labels.encode()))
    if version.warmup is not None:
        entries.append(Entry(f"{top}/{WARMUP_FILE}", msgspec.json.encode(version.warmup)))
    return entries


def _check_kind(received: Received, archive: Archive | None) -> None:
    if received.must_be_gzip and archive is not GZIP:
        raise BadBody("Content-Encoding says gzip, but the body is not gzip")
    if received.must_be_bundle and archive not in BUNDLES:
        raise BadBody("the body is no tarball; send one (tar cfz model.tar.gz model), or a form")


def _found(path: Path | None, target: Path) -> FormFile | None:
    """A file of a bundle, taken out of the model's folder."""
    if path is None:
        return None
    size_bytes, name = path.stat().st_size, path.name
    path.rename(target)
    return FormFile(target, name, size_bytes, "", None)


def _replace(tarball: Path, model: Path, unpacked: Path) -> None:
    """Puts the unpacked model in the place of its tarball, and drops whatever came with it."""
    aside = unpacked.with_name("aside")
    model.rename(aside)
    tarball.unlink()
    aside.rename(tarball)
    if unpacked.exists():
        _remove(unpacked)


def _remove(folder: Path) -> None:
    for path, folders, files in os.walk(folder, topdown=False):
        for name in files:
            os.unlink(os.path.join(path, name))
        for name in folders:
            os.rmdir(os.path.join(path, name))
    os.rmdir(folder)


def _measured(model: Path, received: FormFile) -> tuple[int, str]:
    if model.is_dir():
        files = [path for path in model.rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in files), artifact_checksum(model)
    size_bytes = model.stat().st_size
    known = received.sha256 if size_bytes == received.size_bytes else ""
    return size_bytes, f"{PREFIX}{known}" if known else artifact_checksum(model)


def _from_base64(file: FormFile, has_room: HasRoom) -> FormFile:
    """The file decoded in place; line breaks in it do not matter."""
    has_room(file.size_bytes * 3 // 4)
    target = file.path.with_name("decoded")
    with disk_errors("decoding the model", target.parent), file.path.open("rb") as source:
        with open(target, "wb", opener=_private) as decoded:
            rest = b""
            while chunk := source.read(_CHUNK_BYTES):
                text = rest + b"".join(chunk.split())
                whole = len(text) - len(text) % 4
                decoded.write(_decoded(text[:whole]))
                rest = text[whole:]
            decoded.write(_decoded(rest))
        target.rename(file.path)
        return FormFile(file.path, file.filename, -1, "", archive_at(file.path))


def _decoded(text: bytes) -> bytes:
    try:
        return decode_base64(text)
    except ValueError:
        raise BadBody(
            "Content-Encoding says base64, but the part 'model' is not base64, neither standard "
            "nor web-safe",
            field="model",
        ) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
