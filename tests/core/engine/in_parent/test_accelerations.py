"""What is known of each process that an accelerator may run a version in."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.core.engine.fast_runtime import FastRuntime
from tfaas_core.config import load_config
from tfaas_core.engine.base import Candidate, EngineContext, Loaded
from tfaas_core.engine.in_parent.accelerations import Accelerations
from tfaas_core.engine.in_parent.conversion_cache import ConversionCache
from tfaas_core.engine.in_parent.conversions import Conversions
from tfaas_core.engine.in_parent.fork_servers import ForkServers
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.shared.acceleration_messages import Accelerate
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.runtime import LoadOptions
from tfaas_core.testing.engine_harness import RUNTIME
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import SIGNATURE
from tfaas_core.testing.waiting import eventually


@in_event_loop
async def test_each_process_has_a_verdict_of_its_own_until_it_is_gone(tmp_path: Path) -> None:
    context = EngineContext(load_config(None, (), {}), {RUNTIME: FastRuntime()}, 1)
    fork_servers, meter = ForkServers(context), Meter.create(1)
    conversions = Conversions(fork_servers, context.runtimes, 0)
    accelerations = Accelerations(conversions, ConversionCache(tmp_path), LoadOptions())

    def seat(ticket: int, key: str, stateful: bool = False) -> Seat:
        loaded: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()
        loaded.set_result(Loaded(ticket, SIGNATURE, mergeable=True, stateful=stateful))
        return Seat(ticket, Candidate(key, key, RUNTIME, "", {}), meter, loaded)

    def told(seat: Seat) -> str:
        return (accelerations.runs(seat) or ("", ""))[1]

    first, further, other = seat(1, "one", stateful=True), seat(2, "one"), seat(3, "other")
    try:
        accelerations.begin(first, Accelerate("one", "", "", b""))
        await eventually(lambda: "keeps state" in told(first), "the first one is tried")
        accelerations.join(further)
        further.leaving = True
        await eventually(lambda: "not loaded any more" in told(further), "the other is not")
        assert "keeps state" in told(first)
        first.leaving = True
        accelerations.begin(other, Accelerate("other", "", "", b""))
        assert (accelerations.runs(first), accelerations.runs(further)) == (None, None)
    finally:
        await accelerations.close()
        fork_servers.close()
        meter.close()
