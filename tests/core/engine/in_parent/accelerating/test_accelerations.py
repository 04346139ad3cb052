"""What is known of each process that an accelerator may run a version in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tests.core.engine.fast_runtime import FastRuntime, OddAccelerator
from tfaas_core.config import load_config
from tfaas_core.engine.base import Candidate, EngineContext, Loaded
from tfaas_core.engine.in_parent.accelerating.accelerations import Accelerations
from tfaas_core.engine.in_parent.accelerating.conversion_cache import ConversionCache
from tfaas_core.engine.in_parent.accelerating.conversions import Conversions
from tfaas_core.engine.in_parent.fork_servers.fork_servers import ForkServers
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.shared.acceleration import AccelerationOrder
from tfaas_core.engine.shared.acceleration_messages import Accelerate
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.runtime import CannotAccelerate, LoadOptions, Runtime
from tfaas_core.testing.engine_harness import RUNTIME
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import SIGNATURE, FakeRuntime
from tfaas_core.testing.waiting import eventually


@in_event_loop
async def test_each_process_has_a_verdict_of_its_own_until_it_is_gone(tmp_path: Path) -> None:
    runtimes: dict[str, Runtime] = {RUNTIME: FastRuntime(), "plain": FakeRuntime()}
    context = EngineContext(load_config(None, (), {}), runtimes, 1)
    fork_servers, meter = ForkServers(context), Meter.create(1)
    conversions = Conversions(fork_servers, context.runtimes, 0)
    accelerations = Accelerations(conversions, ConversionCache(tmp_path), LoadOptions())

    def seat(ticket: int, key: str, runtime: str = RUNTIME) -> Seat:
        loaded: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()
        loaded.set_result(Loaded(ticket, SIGNATURE, mergeable=True, stateful=True))
        return Seat(ticket, Candidate(key, key, runtime, "", {}), meter, loaded)

    def told(seat: Seat) -> str:
        return (accelerations.runs(seat) or ("", ""))[1]

    first, further, other = seat(1, "one"), seat(2, "one", "plain"), seat(3, "other")
    try:
        accelerations.begin(first, Accelerate("one", "", "", b""))
        await eventually(lambda: "keeps state" in told(first), "the first one is tried")
        accelerations.join(further)
        await eventually(lambda: "no second engine" in told(further), "the other one is not")
        assert "keeps state" in told(first)
        first.leaving = further.leaving = True
        accelerations.begin(other, Accelerate("other", "", "", b""))
        await eventually(lambda: told(first) == told(further) == "", "both are forgotten")
    finally:
        await accelerations.close()
        fork_servers.close()
        meter.close()


class NotInstalled(OddAccelerator):
    def versions(self) -> Sequence[str]:
        raise CannotAccelerate("swift is not installed")


@in_event_loop
async def test_what_is_not_installed_is_not_tried() -> None:
    context = EngineContext(load_config(None, (), {}), {RUNTIME: FastRuntime()}, 1)
    fork_servers = ForkServers(context)
    loaded = Loaded(1, SIGNATURE, mergeable=True)
    candidate = Candidate("one", "one", RUNTIME, "", {})
    order = AccelerationOrder.of(candidate, LoadOptions(), loaded, b"")
    try:
        conversion = await Conversions(fork_servers, context.runtimes, 0).tried(
            NotInstalled(), order
        )
        assert conversion.found.refusal == "swift is not installed"
        assert fork_servers.processes() == {}
    finally:
        fork_servers.close()
