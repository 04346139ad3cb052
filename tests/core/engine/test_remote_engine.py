from __future__ import annotations

import uvloop

from tfaas_core.testing.engine import EngineContract
from tfaas_core.testing.engine_door import DoorFactory
from tfaas_core.testing.forked import model_processes


class TestThroughADoor(EngineContract):
    """The contract of engines, with the models behind a door of this machine."""

    make_factory = DoorFactory
    settings = ("engine.isolation=model",)
    loop_factory = uvloop.new_event_loop

    def count_loaded(self) -> int:
        return len(model_processes())
