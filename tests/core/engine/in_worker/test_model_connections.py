"""Which of several processes is asked."""

from __future__ import annotations

import asyncio

import pytest

from tests.core.engine.in_worker.test_connection import connected
from tfaas_core.engine.in_worker.model_connections import ModelConnections
from tfaas_core.errors import QueueFull
from tfaas_core.testing.engine_harness import rows_of
from tfaas_core.testing.loops import in_event_loop


@in_event_loop
async def test_the_least_busy_one_is_asked_or_else_one_that_takes_the_request() -> None:
    async with connected(max_queue_rows=2) as (short, _), connected() as (long, _):
        both = ModelConnections([short, long], 10)

        def in_flight() -> tuple[int, int]:
            return short.meter.rows(), long.meter.rows()

        asked = [both.submit([rows_of(1)], 1)]
        assert in_flight() == (1, 0)
        asked += [both.submit([rows_of(1, 2)], 2), both.submit([rows_of(1)], 1)]
        assert in_flight() == (2, 2)
        # It has no more rows in flight than the other, but takes none.
        asked += [both.submit([rows_of(*range(6))], 6)]
        assert in_flight() == (2, 8)
        with pytest.raises(QueueFull, match="10 rows are waiting for model"):
            both.submit([rows_of(1)], 1)
        assert in_flight() == (2, 8)
    await asyncio.gather(*asked, return_exceptions=True)


@in_event_loop
async def test_a_request_is_refused_if_none_takes_it() -> None:
    async with connected(max_queue_rows=1) as (first, _), connected(max_queue_rows=1) as (other, _):
        both = ModelConnections([first, other], 10)
        with pytest.raises(QueueFull):
            both.submit([rows_of(1, 2)], 2)
        assert (first.meter.rows(), other.meter.rows()) == (0, 0)
