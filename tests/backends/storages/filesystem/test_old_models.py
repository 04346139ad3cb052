"""A folder of the original TFaaS' models as the root: told of once, and nothing in it is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tfaas_core.models.versions import Pointers
from tfaas_core.testing.storage_processes import upload
from tfaas_core.testing.suites.storage.case import live


def snapshot(root: Path) -> dict[str, bytes | None]:
    """Everything below ``root`` but what the storage made: files with their content."""
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes()
        for path in root.rglob("*")
        if path.relative_to(root).parts[0] not in (".trash", ".staging", ".revision")
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Models as the original TFaaS kept them, one as TensorFlow Serving does, and odds and ends."""
    root = tmp_path / "old models"
    for file in (
        *("vk/params.json", "vk/model.pb", "vk/labels.txt"),
        *("saved/saved_model.pb", "saved/variables/variables.index"),
        *("numbered/1/saved_model.pb", "numbered/2/saved_model.pb"),
        *(".trash/mine", ".staging/mine/model", "README"),
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(file)
    for folder in ("saved/assets", "assets", "numbered/3"):
        (root / folder).mkdir()
    return root


@pytest.fixture
def storage(root: Path) -> Iterator[FilesystemStorage]:
    storage = FilesystemStorage(root)
    storage.open()
    yield storage
    storage.close()


def test_an_old_folder_is_told_of_in_one_line_with_the_remedy(
    storage: FilesystemStorage, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert live(storage) == []
    storage.sweep()
    assert caplog.messages == [
        f"{root} holds 2 models of the original TFaaS (in 'saved'), which are not served, and stay "
        f"as before: set storage.root to another folder, and run: tfaas import '{root}'"
    ]


def test_one_model_is_told_of_and_so_is_one_that_is_the_root_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "params.json").write_text("{}")
    storage = FilesystemStorage(tmp_path)
    storage.open()
    storage.sweep()
    assert caplog.messages == [
        f"{tmp_path} holds a model of the original TFaaS (in '.'), which is not served, and stays "
        f"as before: set storage.root to another folder, and run: tfaas import {tmp_path}"
    ]


def test_a_folder_of_our_own_is_not_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = FilesystemStorage(tmp_path)
    storage.open()
    upload(storage, "vk")
    storage.sweep()
    assert caplog.messages == []


def test_a_sweep_removes_nothing_of_it(storage: FilesystemStorage, root: Path) -> None:
    before = snapshot(root)
    private = root / "private"
    private.mkdir(mode=0o700)
    storage.sweep()
    assert private.is_dir()
    private.rmdir()
    assert snapshot(root) == before
    assert (root / ".trash" / "mine").exists()
    assert (root / ".staging" / "mine" / "model").exists()


def test_a_claim_on_an_empty_folder_of_somebody_leaves_it(
    storage: FilesystemStorage, root: Path
) -> None:
    with storage.claim("assets"):
        pass
    assert (root / "assets").is_dir()


@pytest.mark.parametrize("name", ["vk", "numbered", "assets"])
def test_uploads_beside_old_files_come_and_go_without_them(
    storage: FilesystemStorage, root: Path, name: str
) -> None:
    before = snapshot(root)
    stored = [upload(storage, name) for _ in range(3)]
    with storage.claim(name) as claim:
        assert storage.prune(claim, keep=1)
        assert live(storage) == [stored[-1]]
        storage.point(claim, Pointers(labels={"canary": stored[-1].version}))
        assert storage.delete(claim)
    assert live(storage) == []
    assert snapshot(root) == before


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_numbered_folder_of_somebody_is_no_version_to_delete(
    storage: FilesystemStorage, root: Path, number: int
) -> None:
    before = snapshot(root)
    assert upload(storage, "numbered").version == 4
    with storage.claim("numbered") as claim:
        assert not storage.delete_version(claim, number)
        assert storage.delete_version(claim, 4)
        assert not storage.delete(claim)
    assert snapshot(root) == before


def test_a_root_that_cannot_be_written_is_told_of_too(
    storage: FilesystemStorage,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("os.access", lambda *_arguments: False)
    storage.sweep()
    assert "tfaas import" in caplog.text
