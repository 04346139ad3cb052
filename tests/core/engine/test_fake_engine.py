"""The engine of hosts for tests: whatever a test finds out with it holds for others, too."""

from __future__ import annotations

from tests.core.testing.fake_engines import FakeEngineContract


class TestFakeEngine(FakeEngineContract):
    """As it is."""
