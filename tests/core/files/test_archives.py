from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from tfaas_core.files.archives import BZIP2, GZIP, TAR, XZ, ZIP, Archive, archive_at


def tarball(name: str = "model.pb") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return made.getvalue()


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("model.pb", b"x")
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (gzip.compress(tarball(), mtime=0), GZIP),
        (tarball(), TAR),
        (tarball("BZh is the start of a name"), TAR),
        (tarball("PK\x03\x04"), TAR),
        (bz2.compress(tarball()), BZIP2),
        (lzma.compress(tarball()), XZ),
        (zipped(), ZIP),
        (b"", None),
        (b"\n\x0e\n\x01x\x12", None),
    ],
    ids=["gzip", "tar", "tar like bzip2", "tar like zip", "bzip2", "xz", "zip", "empty", "graph"],
)
def test_an_archive_is_told_by_its_first_bytes(
    content: bytes, expected: Archive | None, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert archive_at(file) is expected


def test_a_folder_and_what_is_not_there_are_no_archives(tmp_path: Path) -> None:
    assert archive_at(tmp_path) is None
    assert archive_at(tmp_path / "missing") is None
