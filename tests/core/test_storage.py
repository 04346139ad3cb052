"""What storages have in common."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from tfaas_core.errors import StorageFull, StorageUnavailable, TfaasError
from tfaas_core.storage import disk_errors

HERE = Path("/data/models")


def said(number: int, file: str | None = None) -> str:
    """What is said of an error of this number, which the system reports of ``file``."""
    with (
        pytest.raises(TfaasError) as caught,
        disk_errors("storing model 'vk'", HERE),
    ):
        raise OSError(number, os.strerror(number), file)
    kind = StorageFull if number in (errno.ENOSPC, errno.EDQUOT) else StorageUnavailable
    assert type(caught.value) is kind
    assert caught.value.for_clients.startswith("storing model 'vk' failed: ")
    assert not re.search(" /|/data|/other", caught.value.for_clients)
    return caught.value.message


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "failed: the server's disk or quota is full in /data/models; make room"),
        (errno.EDQUOT, "failed: the server's disk or quota is full in /data/models; make room"),
        (errno.EACCES, "failed in /data/models: Permission denied; give the account of the server"),
        (errno.EROFS, "failed in /data/models: Read-only file system; give the account of the"),
        (errno.ENOENT, "failed in /data/models: No such file or directory; see that this folder"),
        (errno.EIO, "failed in /data/models: Input/output error"),
    ],
)
@pytest.mark.parametrize("file", [None, "relative", "/data/models/.staging/0f/model"])
def test_an_error_of_the_disk_names_the_folder_and_says_what_to_do(
    number: int, says: str, file: str | None
) -> None:
    assert said(number, file).startswith(f"storing model 'vk' {says}")


def test_an_error_of_a_file_elsewhere_names_the_folder_of_that() -> None:
    assert "failed in /other/vk/1: Permission" in said(errno.EACCES, "/other/vk/1/model")
