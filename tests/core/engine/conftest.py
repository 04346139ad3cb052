"""Fixtures for the tests of engines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tfaas_core.testing.forked import fork_servers, model_processes
from tfaas_core.testing.waiting import eventually


@pytest.fixture(scope="session", autouse=True)
def _no_process_stays() -> Iterator[None]:
    """No fork server outlives its engine."""
    yield
    assert fork_servers() == []


@pytest.fixture
def no_model_process_stays() -> Iterator[None]:
    """Waits for the end of those that a test started."""
    yield
    asyncio.run(eventually(lambda: not model_processes(), "all model processes are gone"))
