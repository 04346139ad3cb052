"""Which files of a folder may go into a bundle."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tfaas_core.errors import BadBody
from tfaas_core.uploads.folder import regular_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for name in ("b/deep/x", "b/y", ".hidden"):
        (tmp_path / name).touch()
    return tmp_path


def test_all_files_are_found_in_order(folder: Path) -> None:
    found = [str(file.relative_to(folder)) for file in regular_files(folder)]
    assert found == [".hidden", "b/deep/x", "b/y"]


def _bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.path.relpath(path))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to(path.parent / "x"),
        lambda path: path.symlink_to(path.parent.parent),
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.symlink_to(path),
        os.mkfifo,
        _bind,
    ],
)
def test_anything_else_is_refused_by_its_name(
    folder: Path, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    make(folder / "b" / "deep" / "odd")
    with pytest.raises(BadBody, match="b/deep/odd is neither a regular file nor a folder"):
        regular_files(folder)


def test_a_folder_that_is_gone_is_named(folder: Path) -> None:
    with pytest.raises(BadBody, match="gone cannot be read: No such file or directory"):
        regular_files(folder / "gone")
