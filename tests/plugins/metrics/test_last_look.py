"""The last look at processes fits into its room, however much there is to see."""

from __future__ import annotations

import pytest
from tfaas_plugins.metrics.processes import LastLook, LoadedModel, Look, Process
from tfaas_plugins.metrics.shared import LOOK_BYTES, size_bytes

from tfaas_core.shared_memory import SharedMemory

MANY = LOOK_BYTES // 50
NAME = "n" * 80
ONE = LoadedModel("m", "1", "ready", 1, 2, 3.0, 4)
PROCESSES = [Process("http_worker", 1, 2, 3.0)]
MODELS = [LoadedModel(f"{NAME}{n}", "1", "ready", 1, 2, 3.0, 4) for n in range(MANY)]
HOSTS = {f"{NAME}{n:09}": True for n in range(MANY)}


@pytest.mark.parametrize(
    "look",
    [
        Look(1.0, PROCESSES, [ONE], {"host": False}),
        Look(1.0, PROCESSES, MODELS, {"host": True}),
        Look(1.0, PROCESSES, MODELS, HOSTS),
        Look(1.0, [Process(NAME, 1, 2, 3.0)] * MANY),
    ],
    ids=["few", "models", "hosts", "processes"],
)
def test_of_what_is_too_much_the_first_is_read(look: Look) -> None:
    last = LastLook(SharedMemory(size_bytes(1)))
    last.write(look)
    found = last.read()
    assert found.start_s == 1.0
    for seen, all_there_are in (
        (found.processes, look.processes),
        (found.models, look.models),
        ([*found.hosts.items()], [*look.hosts.items()]),
    ):
        assert seen == all_there_are[: len(seen)]
    assert found.processes
    assert bool(found.hosts) == bool(look.hosts)
    assert bool(found.models) == (bool(look.models) and look.hosts is not HOSTS)
