from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfaas_core.errors import BadBody
from tfaas_core.files.regular_file import UnfitFileError, open_regular, read_regular
from tfaas_core.tools.old_folder import read_old_model


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    with open_regular(file) as opened:
        assert opened.read() == b"12345"
    assert read_regular(file, 5) == b"12345"
    with pytest.raises(UnfitFileError, match="more than 4 bytes"):
        read_regular(file, 4)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "pipe", tmp_path / "loop", tmp_path, Path("/dev/zero")):
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(UnfitFileError, match="no regular file"):
            read_regular(path, 5)
        assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_not_there_is_said_as_ever(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "file")


def test_an_old_model_s_params_may_be_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "params.json")
    with pytest.raises((UnfitFileError, BadBody)):
        read_old_model(tmp_path)
