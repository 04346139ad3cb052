"""The part of Storage's contract that takes several processes.

Functions raise AssertionError if a storage breaks the contract. Those that fork are called
through ``children.apart``, since a test process may have threads.
"""

from __future__ import annotations

import hashlib
import json
import signal
import time
from enum import StrEnum
from functools import partial
from pathlib import Path
from random import Random
from typing import Protocol

import msgspec

from tfaas_core.errors import Busy, UnknownVersion
from tfaas_core.models.checksum import artifact_checksum
from tfaas_core.models.model import ModelVersion
from tfaas_core.storage import MODEL, Storage
from tfaas_core.testing.children import Child, Report
from tfaas_core.testing.models import model_version
from tfaas_core.testing.tries import tries

_TURNS = tries(30)
_CONTENDING_S = 0.7
_PAUSE_S = 0.1
_SLACK_S = 5.0


class MakeStorage(Protocol):
    """A class or function that makes a storage which keeps its models under a folder."""

    def __call__(self, folder: Path, /) -> Storage: ...


class Shape(StrEnum):
    """What an artifact is."""

    FILE = "file"
    FOLDER = "folder"


def fill(staging: Path, name: str, seed: bytes, shape: Shape) -> ModelVersion:
    """Writes an upload's files, different for each ``seed``; returns the record to commit."""
    files = [MODEL] if shape is Shape.FILE else [f"{MODEL}/graph", f"{MODEL}/variables/0"]
    checksums = {}
    for file in files:
        body = hashlib.shake_256(seed + file.encode()).digest(20_000)
        (staging / file).parent.mkdir(parents=True, exist_ok=True)
        (staging / file).write_bytes(body)
        checksums[file] = hashlib.sha256(body).hexdigest()
    (staging / "params.json").write_bytes(json.dumps(checksums).encode())
    record = model_version(name=name, version=0, params=checksums, labels=("higgs", "qcd"))
    checksum, warmup = artifact_checksum(staging / MODEL), {"examples": [{"values": [1, 2.5]}]}
    return msgspec.structs.replace(record, checksum=checksum, warmup=warmup)


def upload(
    storage: Storage,
    name: str,
    seed: bytes = b"weights",
    shape: Shape = Shape.FILE,
    keep: int = 0,
) -> ModelVersion:
    """Stores a version, and prunes the name to ``keep`` versions if that is not 0."""
    staging = storage.stage()
    try:
        with storage.claim(name) as claim:
            stored = storage.commit(claim, staging, fill(staging, name, seed, shape))
            if keep:
                storage.prune(claim, keep)
            return stored
    finally:
        storage.discard(staging)


def fault_of(storage: Storage, version: ModelVersion) -> str | None:
    """What is wrong with the artifact of a version that ``fill`` wrote; None: nothing."""
    for file, checksum in version.params.items():
        try:
            body = (storage.artifact(version) / Path(file).relative_to(MODEL)).read_bytes()
        except (OSError, UnknownVersion) as error:
            return f"{file} of {version.name} {version.version}: {error}"
        if hashlib.sha256(body).hexdigest() != checksum:
            return f"{file} of {version.name} {version.version} has other bytes"
    return None


def newest(storage: Storage, name: str) -> ModelVersion | None:
    """The version of ``name`` with the highest number, or None."""
    model = storage.model(name)
    return None if model is None else model.newest


def claims_exclude_processes(make: MakeStorage, folder: Path) -> None:
    """A name claimed here is busy there, another name is not, and it is free afterwards."""
    storage = opened(make, folder)
    attempt = partial(_attempt, make, folder)
    with storage.claim("vk"):
        assert Child(attempt).finish() == [[False, True]]
        if storage.lease_s:
            time.sleep(1.5 * storage.lease_s)  # by then, a claim that nobody renews has ended
            assert Child(attempt).finish() == [[False, True]]
    assert Child(attempt).finish() == [[True, True]]


def _attempt(make: MakeStorage, folder: Path, report: Report) -> None:
    storage = opened(make, folder)
    report(can_claim(storage, "vk"), can_claim(storage, "other"))


def killed_holder_frees_claim(make: MakeStorage, folder: Path) -> None:
    """SIGKILL ends a claim, one on a stored name and one on a new name."""
    storage = opened(make, folder)
    upload(storage, "stored")
    for name in ("stored", "new"):
        holder = Child(partial(_hold, make, folder, name))
        assert holder.report() == ["held"]
        assert not can_claim(storage, name)
        holder.kill()
        assert becomes_free(storage, name)


def _hold(make: MakeStorage, folder: Path, name: str, report: Report) -> None:
    with opened(make, folder).claim(name):
        report("held")
        signal.pause()


def sweep(make: MakeStorage, folder: Path) -> None:
    """What a server does when it starts beside others."""
    storage = opened(make, folder)
    storage.sweep()
    storage.close()


def contend(make: MakeStorage, folder: Path) -> None:
    """Four processes claim one new name again and again: only one at a time is ever inside."""
    folder.mkdir()
    workers = [Child(partial(_enter_and_leave, make, folder)) for _ in range(4)]
    entered = [report[0] for worker in workers for report in worker.finish()]
    assert sum(entered) > 0


def _enter_and_leave(make: MakeStorage, folder: Path, report: Report) -> None:
    storage = opened(make, folder)
    inside = folder.with_name("inside")
    entered = 0
    end_s = time.monotonic() + _CONTENDING_S
    while time.monotonic() < end_s:
        try:
            with storage.claim("vk"):
                inside.mkdir()
                inside.rmdir()
                entered += 1
        except Busy:
            continue
    report(entered)


def change_together(make: MakeStorage, folder: Path) -> None:
    """Four processes upload and delete the same names, while this one lists without a pause."""
    storage = opened(make, folder)
    workers = [Child(partial(_change, make, folder, seed)) for seed in range(4)]
    watch = _Watch(storage)
    while not all(worker.has_ended() for worker in workers):
        watch.look()
    stored = [report for worker in workers for report in worker.finish()]
    for name in ("kept-1", "kept-2"):
        versions = sorted(version for stored_name, version in stored if stored_name == name)
        assert versions == list(range(1, len(versions) + 1)), (name, versions)
        last = newest(storage, name)
        assert last is not None
        assert last.version == len(versions)


def _change(make: MakeStorage, folder: Path, seed: int, report: Report) -> None:
    random = Random(seed)
    storage = opened(make, folder)
    watch = _Watch(storage)
    for turn in range(_TURNS):
        name = random.choice(["kept-1", "kept-2", "churned"])
        try:
            if name == "churned" and random.random() < 0.5:
                with storage.claim(name) as claim:
                    storage.delete(claim)
            else:
                shape = random.choice(list(Shape))
                report(name, upload(storage, name, f"{seed} {turn}".encode(), shape, 1).version)
        except Busy:
            continue
        finally:
            watch.look()


class _Watch:
    """Looks at the list again and again, and knows what must not change in it."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._seen: dict[str, int] = {}

    def look(self) -> None:
        listed = [model.live for model in self._storage.list()]
        names = [record.name for record in listed]
        assert names == sorted(set(names))
        for record in listed:
            fault = fault_of(self._storage, record)
            # Meanwhile another process may have replaced or deleted it.
            assert fault is None or newest(self._storage, record.name) != record, fault
        versions = {record.name: record.version for record in listed if record.name != "churned"}
        for name, version in self._seen.items():
            assert versions.get(name, 0) >= version, (name, version, versions)
        self._seen = versions


def opened(make: MakeStorage, folder: Path) -> Storage:
    """A storage in ``folder``, ready for use."""
    storage = make(folder)
    storage.open()
    return storage


def can_claim(storage: Storage, name: str) -> bool:
    """Whether nobody else has claimed ``name``."""
    try:
        with storage.claim(name):
            return True
    except Busy:
        return False


def becomes_free(storage: Storage, name: str) -> bool:
    """Whether the claim of a process that is no more, or has stopped, ends in time."""
    if not storage.lease_s:
        return can_claim(storage, name)
    end_s = time.monotonic() + storage.lease_s + _SLACK_S
    while not can_claim(storage, name):
        if time.monotonic() > end_s:
            return False
        time.sleep(_PAUSE_S)
    return True
