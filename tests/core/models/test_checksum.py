"""What an artifact's checksum is compared with, and when its files are read for it."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tfaas_core.models import checksum
from tfaas_core.models.checksum import artifact_checksum, is_whole

LARGE = 1000


@pytest.fixture(autouse=True)
def _no_file_is_too_small_or_too_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksum, "_LARGE_BYTES", LARGE)
    monkeypatch.setattr(checksum, "_SETTLED_S", -1.0)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read for their sums."""
    found: list[str] = []
    real = hashlib.file_digest

    def digest(file: Any, kind: str) -> Any:
        found.append(Path(os.readlink(f"/proc/self/fd/{file.fileno()}")).name)
        return real(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", digest)
    return found


def folder_of(files: dict[str, bytes], at: Path) -> Path:
    for name, content in files.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_bytes(content)
    return at


@pytest.fixture
def large(tmp_path: Path) -> Path:
    return folder_of({"saved_model.pb": b"m", "variables/data": bytes(LARGE)}, tmp_path / "model")


def test_a_large_artifact_that_was_found_whole_is_not_read_again(
    large: Path, read: list[str]
) -> None:
    known = artifact_checksum(large)
    read.clear()
    assert is_whole(large, known)
    assert sorted(read) == ["data", "saved_model.pb"]
    assert is_whole(large, known)
    assert not is_whole(large, "sha256:" + 64 * "0")
    assert sorted(read) == 2 * ["data"] + 2 * ["saved_model.pb"]


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/data"])
def test_a_file_that_was_changed_is_read_even_if_it_is_said_to_be_as_old(
    large: Path, name: str
) -> None:
    known, file = artifact_checksum(large), large / name
    assert is_whole(large, known)
    before = file.stat()
    with file.open("r+b") as opened:
        opened.write(b"!")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not is_whole(large, known)


def test_a_file_that_takes_the_place_of_another_or_is_new_or_gone_is_noticed(large: Path) -> None:
    known = artifact_checksum(large)
    assert is_whole(large, known)
    other = folder_of({"data": bytes(LARGE - 1) + b"!"}, large.parent / "other") / "data"
    shutil.copystat(large / "variables/data", other)
    other.replace(large / "variables/data")
    assert not is_whole(large, known)

    (large / "variables/data").write_bytes(bytes(LARGE))
    assert is_whole(large, known)
    (large / "more").touch()
    assert not is_whole(large, known)
    (large / "more").unlink()
    (large / "saved_model.pb").unlink()
    assert not is_whole(large, known)


def test_what_was_written_a_moment_ago_is_read_each_time(
    large: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksum, "_SETTLED_S", 3600.0)
    known = artifact_checksum(large)
    read.clear()
    assert is_whole(large, known)
    assert is_whole(large, known)
    assert len(read) == 4


def test_a_small_artifact_is_read_each_time(tmp_path: Path, read: list[str]) -> None:
    small = folder_of({"model": bytes(LARGE - 1)}, tmp_path) / "model"
    known = artifact_checksum(small)
    assert is_whole(small, known)
    assert is_whole(small, known)
    assert len(read) == 3
