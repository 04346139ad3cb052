from __future__ import annotations

from tfaas_core.testing.engine import EngineContract
from tfaas_core.testing.fake_engine import FakeEngine, FakeEngineFactory


class TestFakeEngine(EngineContract):
    workers_share = False

    @staticmethod
    def make_factory():
        return FakeEngineFactory(FakeEngine())

    def count_loaded(self) -> int:
        return 0
