from __future__ import annotations

import threading

import uvloop

from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.testing.engine import EngineContract
from tfaas_core.testing.forked import count_descriptors, count_threads, model_processes


class TestModelIsolation(EngineContract):
    """On the event loop that HTTP workers use."""

    make_factory = LocalEngineFactory
    settings = ("engine.isolation=model",)
    loop_factory = uvloop.new_event_loop

    def count_loaded(self) -> int:
        return len(model_processes())


class TestSharedIsolation(EngineContract):
    make_factory = LocalEngineFactory
    settings = ("engine.isolation=shared",)

    def count_loaded(self) -> int:
        # One thread loads models, and each model has one.
        return sum(max(0, count_threads(process) - 1) for process in model_processes())

    def count_descriptors(self) -> int:
        return super().count_descriptors() + sum(map(count_descriptors, model_processes()))


class TestInline(EngineContract):
    make_factory = LocalEngineFactory
    settings = ("engine.isolation=inline",)
    loop_factory = uvloop.new_event_loop
    workers_share = False

    def count_loaded(self) -> int:
        return sum(thread.name == "tfaas-servable" for thread in threading.enumerate())
