from __future__ import annotations

import logging
import os
import resource
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tfaas_backends.storages.filesystem import tfaas_register_storages
from tfaas_backends.storages.filesystem.models import FilesystemModels
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tfaas_core.errors import StorageUnavailable, UnknownVersion
from tfaas_core.local_disk.staging import new_token
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Pointers
from tfaas_core.storage import DefaultChoice
from tfaas_core.testing.children import Child, Report, apart
from tfaas_core.testing.storage import StorageContract
from tfaas_core.testing.storage_processes import Shape, fill, newest, upload
from tfaas_core.testing.suites.storage.case import live


class TestFilesystemStorage(StorageContract):
    make_storage = FilesystemStorage


def files_below(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def test_the_storage_is_registered_as_filesystem(tmp_path: Path) -> None:
    factory = tfaas_register_storages()["filesystem"]
    storage = factory({"root": "here"}, tmp_path)
    storage.open()
    assert (tmp_path / "here").is_dir()


def test_a_version_is_a_folder_of_the_files_as_staged_and_its_record(
    storage: FilesystemStorage, root: Path
) -> None:
    stored = upload(storage, "vk")
    folder = root / "vk" / "1"
    assert files_below(folder) == [Path("model"), Path("params.json"), Path("version.json")]
    record = msgspec.json.decode((folder / "version.json").read_bytes(), type=ModelVersion)
    assert record == stored
    assert storage.artifact(stored) == folder / "model"


def test_without_descriptors_no_model_is_said_not_to_be_there(root: Path) -> None:
    apart(_list_without_descriptors, root)


def _list_without_descriptors(root: Path) -> None:
    storage = FilesystemStorage(root)
    storage.open()
    stored = [upload(storage, name) for name in ("a", "b")]
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def names_and_then_no_more_files(models: FilesystemModels) -> list[str]:
        found = names(models)
        # Descriptors from this one on cannot be had.
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        return found

    names = FilesystemModels.names
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FilesystemModels, "names", names_and_then_no_more_files)
        with pytest.raises(StorageUnavailable, match="Too many open files"):
            storage.list()
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert live(storage) == stored
    storage.close()


def test_what_is_stored_is_for_its_owner_only(storage: FilesystemStorage, root: Path) -> None:
    upload(storage, "vk", shape=Shape.FOLDER)
    for path in (root, *root.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_claim_leaves_no_folder_behind(storage: FilesystemStorage, root: Path) -> None:
    before = files_below(root)
    with storage.claim("vk"):
        pass
    assert files_below(root) == before


def test_a_delete_leaves_nothing_behind(storage: FilesystemStorage, root: Path) -> None:
    upload(storage, "kept")
    before = files_below(root)
    upload(storage, "vk", shape=Shape.FOLDER)
    with storage.claim("vk") as claim:
        storage.delete(claim)
    assert files_below(root) == before


def test_a_name_deleted_and_claimed_anew_is_not_disturbed_by_the_old_claim(
    storage: FilesystemStorage,
) -> None:
    upload(storage, "vk")
    with storage.claim("vk") as old:
        storage.delete(old)
        new = storage.claim("vk")
        claim = new.__enter__()
    staging = storage.stage()
    assert storage.commit(claim, staging, fill(staging, "vk", b"new", Shape.FILE)).version == 1
    new.__exit__(None, None, None)


def test_a_sweep_removes_what_was_left_and_nothing_else(
    storage: FilesystemStorage, root: Path
) -> None:
    stored = upload(storage, "vk")
    before = files_below(root)
    fill(root / ".staging" / new_token(), "vk", b"half", Shape.FOLDER)
    shutil.copytree(root / "vk", root / ".trash" / new_token())
    (root / "killed-while-claiming").mkdir(mode=0o700)
    storage.sweep()
    assert files_below(root) == before
    assert live(storage) == [stored]


def set_pointers(storage: FilesystemStorage) -> None:
    with storage.claim("vk") as claim:
        storage.point(claim, Pointers((1,), {"canary": 1}))


def choose_default(storage: FilesystemStorage) -> None:
    storage.choose_default(DefaultChoice("vk", "2026-11-01 00:00:00.000000 +0000 UTC"))


@pytest.mark.parametrize("change", [set_pointers, choose_default])
def test_what_a_process_leaves_that_is_killed_amid_a_small_change_is_swept(
    root: Path, change: Callable[[FilesystemStorage], None]
) -> None:
    apart(_killed_amid, root, change)


def _killed_amid(root: Path, change: Callable[[FilesystemStorage], None]) -> None:
    def be_killed(_report: Report) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "rename", lambda *_paths: os._exit(0))
            change(storage)

    storage = FilesystemStorage(root)
    storage.open()
    upload(storage, "vk")
    before = files_below(root)
    Child(be_killed).finish()
    assert files_below(root) != before
    storage.sweep()
    assert files_below(root) == before


def test_a_sweep_goes_on_where_another_server_deletes_a_model(
    storage: FilesystemStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(storage, "kept")
    gone = root / "gone"
    gone.mkdir()
    really = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder == gone and gone.exists():
            gone.rmdir()
        return really(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    storage.sweep()
    assert [version.name for version in live(storage)] == ["kept"]


def test_what_is_no_version_is_not_listed(storage: FilesystemStorage, root: Path) -> None:
    stored = upload(storage, "vk")
    (root / "vk" / "2").mkdir()
    (root / "vk" / "03").mkdir()
    (root / "vk" / "notes").mkdir()
    (root / "vk" / "4").write_bytes(b"")
    (root / "README").write_bytes(b"")
    (root / "empty").mkdir()
    assert live(storage) == [stored]
    assert newest(storage, "README") is None
    assert newest(storage, "empty") is None


def test_a_number_that_is_taken_is_not_used(storage: FilesystemStorage, root: Path) -> None:
    upload(storage, "vk")
    (root / "vk" / "7").mkdir()
    assert upload(storage, "vk").version == 8


@pytest.mark.parametrize("broken", [b"", b"{", b"\xff", b"[]", b'{"name": "vk"}', b"[" * 100_000])
def test_a_broken_record_hides_its_version_only_and_is_logged_once(
    storage: FilesystemStorage, root: Path, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = upload(storage, "vk"), upload(storage, "vk")
    other = upload(storage, "other")
    record = root / "vk" / "2" / "version.json"
    whole = record.read_bytes()
    record.write_bytes(broken)
    for _ in range(3):
        assert live(storage) == [other, first]
    assert [entry.levelno for entry in caplog.records] == [logging.WARNING]
    assert str(record) in caplog.text
    record.write_bytes(whole)
    assert live(storage) == [other, second]


def test_prune_counts_whole_versions_only(storage: FilesystemStorage, root: Path) -> None:
    first, second = upload(storage, "vk"), upload(storage, "vk")
    upload(storage, "vk")
    (root / "vk" / "3" / "version.json").write_bytes(b"{")
    with storage.claim("vk") as claim:
        storage.prune(claim, keep=1)
    with pytest.raises(UnknownVersion):
        storage.artifact(first)
    assert live(storage) == [second]


def test_a_copied_folder_is_not_the_model_that_its_record_says(
    storage: FilesystemStorage, root: Path
) -> None:
    stored = upload(storage, "vk")
    shutil.copytree(root / "vk", root / "copy")
    assert live(storage) == [stored]


def test_records_are_read_once(storage: FilesystemStorage, root: Path) -> None:
    stored = [upload(storage, name) for name in ("a", "b")]
    for name in ("a", "b"):
        os.utime(root / name, (1_000_000_000, 1_000_000_000))  # else it is too young to rely on
    assert live(storage) == stored
    (root / "a" / "1" / "version.json").write_bytes(b"not read")
    assert live(storage) == stored
    assert newest(storage, "a") == stored[0]


def test_a_change_within_one_tick_of_the_disks_clock_shows(
    storage: FilesystemStorage, root: Path
) -> None:
    upload(storage, "vk")
    assert storage.list()
    tick_ns = (root / "vk").stat().st_mtime_ns
    stored = upload(FilesystemStorage(root), "vk")
    os.utime(root / "vk", ns=(tick_ns, tick_ns))
    assert live(storage) == [stored]


def test_a_change_by_another_process_shows_however_old_the_models_are(
    storage: FilesystemStorage, root: Path
) -> None:
    upload(storage, "vk")
    os.utime(root / "vk", (1_000_000_000, 1_000_000_000))
    assert storage.list()
    stored = upload(FilesystemStorage(root), "vk")
    assert live(storage) == [stored]
    assert newest(storage, "vk") == stored


def test_a_version_is_on_the_disk_before_it_is_listed(
    storage: FilesystemStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    really_sync, really_rename = os.fsync, os.rename

    def sync(descriptor: int) -> None:
        steps.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        really_sync(descriptor)

    def rename(source: Path, target: Path) -> None:
        steps.append("rename")
        really_rename(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "rename", rename)
    staging = storage.stage()
    with storage.claim("vk") as claim:
        storage.commit(claim, staging, fill(staging, "vk", b"x", Shape.FOLDER))
    turn = steps.index("rename")
    files = {"graph", "0", "variables", "model", "params.json", "version.json", staging.name}
    assert set(steps[:turn]) == files
    assert set(steps[turn + 1 :]) == {"vk", root.name}
    steps.clear()
    with storage.claim("vk") as claim:
        storage.delete(claim)
    assert steps == ["rename", root.name]
