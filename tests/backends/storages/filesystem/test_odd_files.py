"""What is in a models' folder, and is no file of a model, holds nobody up."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tfaas_core.errors import DamagedFile
from tfaas_core.models.model import ModelVersion
from tfaas_core.testing.storage_processes import Shape, upload

IN_TIME_S = 20

T = TypeVar("T")


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        # The path may be longer than an address can be.
        folder = os.open(path.parent, os.O_RDONLY)
        bound.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)


def a_huge_file(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


ODD: dict[str, Callable[[Path], None]] = {
    "fifo": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "socket": a_socket,
    "loop": lambda path: path.symlink_to(path.name),
    "folder": os.mkdir,
    "huge": a_huge_file,
}


def in_time(call: Callable[[], T]) -> T:
    """What it returns; fails if that takes for ever."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done.result(IN_TIME_S)


def started(root: Path) -> FilesystemStorage:
    """The storage, as a server that starts uses it."""
    storage = FilesystemStorage(root)
    storage.open()
    storage.sweep()
    storage.revision()
    storage.list()
    storage.default()
    return storage


@pytest.fixture
def stored(storage: FilesystemStorage) -> ModelVersion:
    upload(storage, "other")
    return upload(storage, "vk")


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize(
    "place", ["odd", "vk/2", "vk/2/version.json", "vk/pointers.json", "new/pointers.json"]
)
@pytest.mark.usefixtures("stored")
def test_a_start_passes_over_odd_files(root: Path, kind: str, place: str) -> None:
    path = root / place
    path.parent.mkdir(exist_ok=True, parents=True)
    path.unlink(missing_ok=True)
    ODD[kind](path)
    storage = in_time(lambda: started(root))
    names = [model.name for model in storage.list()]
    assert "other" in names
    assert "vk" in names


@pytest.mark.parametrize("kind", ["fifo", "device", "huge"])
@pytest.mark.parametrize("name", [".default.json", ".revision"])
@pytest.mark.usefixtures("stored")
def test_so_it_does_where_its_own_files_are_odd(root: Path, kind: str, name: str) -> None:
    (root / name).unlink(missing_ok=True)
    ODD[kind](root / name)
    storage = in_time(lambda: started(root))
    assert [model.name for model in storage.list()] == ["other", "vk"]
    assert storage.default() is None
    in_time(lambda: upload(storage, "vk"))


@pytest.mark.parametrize("kind", ["fifo", "device", "socket", "loop"])
def test_a_model_that_is_an_odd_file_is_damaged(
    storage: FilesystemStorage, root: Path, stored: ModelVersion, kind: str
) -> None:
    model = root / "vk/1/model"
    model.unlink()
    ODD[kind](model)
    for read in (storage.artifact, storage.verify):
        with pytest.raises(DamagedFile):
            in_time(lambda read=read: read(stored))  # type: ignore[misc]


def test_so_is_one_with_an_odd_file_in_its_folder(storage: FilesystemStorage, root: Path) -> None:
    stored = upload(storage, "vk", shape=Shape.FOLDER)
    file = next(path for path in (root / "vk/1/model").rglob("*") if path.is_file())
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(DamagedFile):
        in_time(lambda: storage.artifact(stored))
