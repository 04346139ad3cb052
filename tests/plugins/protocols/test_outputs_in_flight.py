"""Long outputs in memory that a model's process shares count while their answer is written."""

from __future__ import annotations

import numpy as np
import pytest
from tfaas_plugins.protocols.oip.models.models import OipModels

from tfaas_core.errors import TfaasError, TooLarge, Unavailable
from tfaas_core.routing.in_flight import LONG_BYTES
from tfaas_core.tensors import Arrays
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop

OUTPUTS: Arrays = {"y": np.zeros(LONG_BYTES, np.uint8), "z": np.zeros(9, np.uint8)}
SIZE = LONG_BYTES + 9


@in_event_loop
async def test_they_have_room_until_it_is_written() -> None:
    async with host_of(settings=[f"limits.max_bytes_in_flight={9 * SIZE}"]) as host:
        left = await OipModels(host).written([OUTPUTS, OUTPUTS], lambda: host.in_flight.left)
        assert left == SIZE  # beside both, there is three times as much for the answer
        assert host.in_flight.left == 9 * SIZE


@pytest.mark.parametrize(
    ("most", "error"), [(2 * SIZE, Unavailable), (SIZE, TooLarge)], ids=["now", "ever"]
)
@in_event_loop
async def test_without_room_nothing_is_written(most: int, error: type[TfaasError]) -> None:
    async with host_of(settings=[f"limits.max_bytes_in_flight={most}"]) as host:
        models = OipModels(host)
        with host.in_flight.held(1), pytest.raises(error, match=r"limits\.max_bytes_in_flight"):
            await models.written([OUTPUTS, OUTPUTS], pytest.fail, "it is written")
        assert host.in_flight.left == most
