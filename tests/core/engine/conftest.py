"""Fixtures for the tests of engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tfaas_core.testing.forked import fork_server, stop_fork_server


@pytest.fixture(scope="session", autouse=True)
def _no_process_stays() -> Iterator[None]:
    """Ends the fork server, which all tests share, after the last test."""
    yield
    stop_fork_server()
    assert fork_server() is None
