"""What a runtime is told of the server that it loads models for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfaas_core.config import load_config
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.settings.tables import EngineTable
from tfaas_core.system.resources.usable_memory import usable_bytes
from tfaas_core.testing.engine_harness import started
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import FakeRuntime

SETTINGS = (
    "engine.threads=3",
    "engine.max_batch_rows=7",
    "engine.busy_poll_us=250",
    "engine.slow_priority=low",
    "models.policy=off",
    'models.allow_ops=["ReadFile"]',
    "engine.max_model_memory_bytes=9",
)


def options(*settings: str) -> LoadOptions:
    config = load_config(None, settings, {})
    return LoadOptions.of(config.engine, config.models)


def test_a_model_is_loaded_as_the_configuration_says() -> None:
    expected = LoadOptions(3, 7, 0.00025, "low", "off", ("ReadFile",), memory_bytes=9)
    assert options(*SETTINGS) == expected


def test_without_a_configuration_its_process_polls_and_gives_way() -> None:
    expected = LoadOptions(0, 1024, 0.0004, "idle", memory_bytes=usable_bytes())
    assert LoadOptions.of(EngineTable()) == expected


def test_what_a_model_may_take_is_not_told_if_others_may_have_taken_it() -> None:
    assert options(*SETTINGS, "engine.sandbox=off").memory_bytes == 0


@pytest.mark.parametrize("isolation", ["shared", "inline"])
def test_models_that_share_a_process_neither_poll_nor_give_way(isolation: str) -> None:
    expected = LoadOptions(3, 7, 0.0, "normal", "off", ("ReadFile",))
    assert options(*SETTINGS, f"engine.isolation={isolation}") == expected


class Listening(FakeRuntime):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[LoadOptions] = []

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        self.told.append(options)
        return super().load(artifact, params, options)


@in_event_loop
async def test_the_runtime_is_told_all_of_it(tmp_path: Path) -> None:
    runtime = Listening()
    settings = [*SETTINGS, "engine.isolation=inline"]
    async with started(LocalEngineFactory(), tmp_path, settings, runtime=runtime) as harness:
        await harness.worker.upload("vk", "sum")
    assert runtime.told == [options(*settings)]
