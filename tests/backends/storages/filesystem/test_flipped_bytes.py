"""Records of a folder that a disk has changed by a bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tfaas_core.storage import DefaultChoice
from tfaas_core.testing.storage_processes import upload
from tfaas_core.testing.suites.storage.case import live

DEFAULT = DefaultChoice("vk", "2026-03-02 09:14:31.207 +0000 UTC")


def flipped(file: Path, at: int, bit: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= bit
    file.write_bytes(content)


@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_a_record_hides_its_version_and_no_other(
    storage: FilesystemStorage, root: Path, bit: int
) -> None:
    first, second, other = upload(storage, "vk"), upload(storage, "vk"), upload(storage, "other")
    record = root / "vk" / "2" / "version.json"
    checked = record.read_bytes().index(b',"record_checksum"')
    for at in range(record.stat().st_size):
        flipped(record, at, bit)
        found = FilesystemStorage(root)
        is_hidden = live(found) == [other, first]
        assert is_hidden or (live(found) == [other, second] and at >= checked)
        assert len(found.broken_records()) == is_hidden
        flipped(record, at, bit)
    assert live(FilesystemStorage(root)) == [other, second]


def test_pointers_and_the_default_are_not_believed(storage: FilesystemStorage, root: Path) -> None:
    first = upload(storage, "vk")
    second = upload(storage, "vk")
    with storage.claim("vk") as claim:
        (model,) = storage.list()
        storage.point(claim, model.pointers.with_live(first.version))
    storage.choose_default(DEFAULT)
    assert (live(storage), storage.default()) == ([first], DEFAULT)
    for name in ("vk/pointers.json", ".default.json"):
        flipped(root / name, (root / name).read_bytes().index(b":") + 1, 0x80)
    found = FilesystemStorage(root)
    assert (live(found), found.default()) == ([second], None)
    assert "pointers.json cannot be read" in found.broken_records()[0]
