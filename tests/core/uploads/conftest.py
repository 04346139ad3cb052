"""What reads forms."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.uploads.forms import (
    Reader,
)


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def reader(tmp_path: Path, runner: asyncio.Runner) -> Reader:
    return Reader(tmp_path, runner)


@pytest.fixture(scope="session")
def shared_reader(tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner) -> Reader:
    return Reader(tmp_path_factory.mktemp("forms"), runner)
