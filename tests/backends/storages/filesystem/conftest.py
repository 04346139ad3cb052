"""An open storage in a new folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def storage(root: Path) -> Iterator[FilesystemStorage]:
    storage = FilesystemStorage(root)
    storage.open()
    yield storage
    storage.close()
