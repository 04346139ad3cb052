"""The folder that the storage keeps its models in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tfaas_backends.storages.filesystem import make_filesystem_storage
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tests.other_account import needs_root, open_folder, told_nobody
from tfaas_core.errors import ConfigError, StorageUnavailable
from tfaas_core.testing.storage_processes import Shape, fill, upload
from tfaas_core.testing.suites.storage.case import live


def test_the_root_is_models_unless_told_otherwise(tmp_path: Path) -> None:
    make_filesystem_storage({}, tmp_path).open()
    assert (tmp_path / "models").is_dir()


def test_an_absolute_root_is_taken_as_it_is(tmp_path: Path) -> None:
    make_filesystem_storage({"root": str(tmp_path / "a" / "b")}, Path("nowhere")).open()
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"root": 1}, "Expected `str`, got `int` - at `$.storage.root`"),
        ({"rot": "x"}, "Object contains unknown field `rot` - at `$.storage`"),
        ({"root": ""}, "Expected `str` of length >= 1 - at `$.storage.root`"),
    ],
)
def test_a_wrong_table_is_refused_with_its_key(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_filesystem_storage(table, Path())
    assert caught.value.message == message


def test_the_root_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "models").symlink_to(tmp_path / "disk")
    storage = FilesystemStorage(tmp_path / "models")
    storage.open()
    assert live(storage) == [] != [upload(storage, "vk")] == live(storage)
    with storage.claim("vk") as claim:
        assert storage.delete(claim)


def test_a_root_that_is_gone_is_unavailable(storage: FilesystemStorage, root: Path) -> None:
    upload(storage, "vk")
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    with storage.claim("vk") as claim:
        root.rename(root.with_name("elsewhere"))
        with pytest.raises(StorageUnavailable):
            storage.commit(claim, staging, version)
        with pytest.raises(StorageUnavailable):
            storage.delete(claim)
    reading = (storage.list, partial(storage.model, "vk"), storage.default)
    for call in (*reading, storage.stage, storage.claim("vk").__enter__):
        with pytest.raises(StorageUnavailable, match=f"in {root}: No such .*; see that"):
            call()
    storage.discard(staging)


def test_a_name_that_leads_nowhere_is_no_model(storage: FilesystemStorage, root: Path) -> None:
    (root / "vk").symlink_to(root / "nowhere")
    assert storage.model("vk") is None
    assert storage.list() == []


def test_a_root_that_is_a_file_is_a_wrong_configuration(root: Path) -> None:
    root.write_bytes(b"")
    with pytest.raises(ConfigError, match=r"models' is a file; .* at `\$\.storage\.root`"):
        FilesystemStorage(root).open()


@pytest.mark.parametrize("name", ["file/models", "n\0l"])
def test_a_root_that_cannot_be_made_is_a_wrong_configuration(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"cannot be used: .* at `\$\.storage\.root`"):
        FilesystemStorage(tmp_path / name).open()


@needs_root
@pytest.mark.parametrize("name", ["closed", "closed/models", "missing/models"])
def test_what_opening_would_refuse_for_lack_of_rights_is_told_without_it(name: str) -> None:
    with open_folder() as folder:
        (folder / "closed").mkdir(mode=0o700)
        storage = FilesystemStorage(folder / name)
        told = told_nobody(storage.examine)
        assert told.endswith("cannot be used: Permission denied - at `$.storage.root`")
        assert told == told_nobody(storage.open)


def test_a_missing_root_is_examined_and_not_made(root: Path) -> None:
    assert FilesystemStorage(root).examine() == []
    assert not root.exists()
