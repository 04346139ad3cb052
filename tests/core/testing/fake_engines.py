"""FakeEngines under the contract of engines: one for each HTTP worker, and all of them counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from tfaas_core.engine.base import Engine, WorkerContext
from tfaas_core.testing.engine import EngineContract
from tfaas_core.testing.fake_engine import FakeEngine, FakeEngineFactory

_made: list[FakeEngine] = []


class OneEach(FakeEngineFactory):
    """What ``make`` makes, for each HTTP worker."""

    def __init__(self, make: Callable[[], FakeEngine]) -> None:
        super().__init__(FakeEngine())
        self._make = make

    def engine(self, context: WorkerContext) -> Engine:
        _made.append(self._make())
        return _made[-1].attach(context)


class FakeEngineContract(EngineContract):
    """What FakeEngines keep to; ``make_engine`` makes one."""

    make_engine: ClassVar[Callable[[], FakeEngine]] = FakeEngine
    workers_share = False

    # A run holds the event loop: nobody begins to wait meanwhile.
    test_a_request_that_waits_too_long_fails_and_a_later_one_is_answered = None  # type: ignore[assignment]

    @classmethod
    def make_factory(cls) -> OneEach:
        return OneEach(cls.make_engine)

    def count_loaded(self) -> int:
        return sum(engine.count_loaded() for engine in _made)
