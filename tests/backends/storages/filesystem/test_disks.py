"""The filesystem storage on disks that are quick, full or read-only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tfaas_core.errors import StorageFull, StorageUnavailable
from tfaas_core.testing.children import apart
from tfaas_core.testing.storage_processes import (
    Shape,
    change_together,
    fault_of,
    fill,
    newest,
    upload,
)
from tfaas_core.testing.suites.storage.case import live


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB, quicker than any real one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=4m,mode=0700", "tfaas-test"]
    try:
        subprocess.run(["mount", *options, disk], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a disk, and not everywhere")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill_up(disk: Path) -> None:
    state = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(state.f_bavail * state.f_frsize))


def make_read_only(root: Path) -> None:
    if os.geteuid() == 0:
        subprocess.run(["mount", "-o", "remount,ro", root], check=True)
    else:
        root.chmod(0o500)


@pytest.fixture
def read_only_root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """The root of a storage that cannot be written; it holds the model vk."""
    root = tmp_path / "models"
    if os.geteuid() == 0:  # whom permissions do not stop
        root = request.getfixturevalue("small_disk")
    storage = FilesystemStorage(root)
    storage.open()
    upload(storage, "vk")
    make_read_only(root)
    yield root
    if os.geteuid() != 0:
        root.chmod(0o700)


def files_below(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def test_processes_on_a_quick_disk_never_show_half_a_model(small_disk: Path) -> None:
    apart(change_together, FilesystemStorage, small_disk / "models")


def test_an_upload_that_does_not_fit_on_the_disk_is_refused_and_leaves_nothing(
    small_disk: Path,
) -> None:
    storage = FilesystemStorage(small_disk)
    storage.open()
    stored = upload(storage, "vk")
    before = files_below(small_disk)
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    fill_up(small_disk)
    full = f"storing model 'vk' failed: .* is full in {small_disk}; make room there"
    with storage.claim("vk") as claim, pytest.raises(StorageFull, match=full):
        storage.commit(claim, staging, version)
    storage.discard(staging)
    (small_disk / "filler").unlink()
    assert files_below(small_disk) == before
    assert live(storage) == [stored]
    assert fault_of(storage, stored) is None
    assert upload(storage, "vk").version == 2


def test_a_full_disk_does_not_keep_models_from_being_deleted(small_disk: Path) -> None:
    storage = FilesystemStorage(small_disk)
    storage.open()
    for _ in range(2):
        upload(storage, "vk")
    fill_up(small_disk)
    with storage.claim("vk") as claim:
        storage.prune(claim, keep=1)
        assert storage.delete(claim)
    assert storage.list() == []
    assert files_below(small_disk) == [
        Path(name) for name in (".revision", ".staging", ".trash", "filler")
    ]
    upload(storage, "vk")


def test_a_read_only_root_serves_and_refuses_changes(read_only_root: Path) -> None:
    storage = FilesystemStorage(read_only_root)
    assert storage.examine() == [
        f"{read_only_root} is read-only: its models are served, none can be changed - "
        "at `$.storage.root`"
    ]
    storage.open()
    storage.sweep()
    (stored,) = live(storage)
    assert newest(storage, "vk") == stored
    assert fault_of(storage, stored) is None
    refused = (
        f"the models' folder {read_only_root} is read-only: .*; give the account of the server"
    )
    with pytest.raises(StorageUnavailable, match=refused):
        storage.stage()
    for name in ("vk", "new"):
        with pytest.raises(StorageUnavailable, match=refused), storage.claim(name):
            pass


def test_a_root_that_becomes_read_only_refuses_the_commit(small_disk: Path) -> None:
    storage = FilesystemStorage(small_disk)
    storage.open()
    upload(storage, "vk")
    stored = upload(storage, "vk")
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    with storage.claim("vk") as claim:
        make_read_only(small_disk)
        with pytest.raises(StorageUnavailable, match="read-only"):
            storage.commit(claim, staging, version)
        refused = f"failed in {small_disk}: Read-only .*; give the account of the server"
        with pytest.raises(StorageUnavailable, match=refused):
            storage.prune(claim, keep=1)
        with pytest.raises(StorageUnavailable, match=refused):
            storage.delete(claim)
    assert live(storage) == [stored]
