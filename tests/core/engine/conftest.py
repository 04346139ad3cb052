"""Fixtures for the tests of engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tfaas_core.testing.forked import fork_servers


@pytest.fixture(scope="session", autouse=True)
def _no_process_stays() -> Iterator[None]:
    """No fork server outlives its engine."""
    yield
    assert fork_servers() == []
