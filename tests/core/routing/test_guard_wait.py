"""A guard that does not answer lets nobody pass, and holds no request."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.core.routing.test_guards import Asked, route_for, to_model
from tfaas_core.guard import Asking, Guard
from tfaas_core.route import Response
from tfaas_core.routing import guard_wait
from tfaas_core.testing.waiting import eventually


class Hanging(Guard):
    """Waits for ever, in one of its answers, and perhaps heeds no cancellation."""

    def __init__(self, where: str, heeds: bool) -> None:
        self._where, self._heeds = where, heeds
        self.over = asyncio.Event()
        self.cancelled = 0

    async def admit(self, asking: Asking) -> str:
        await self._hang("admit")
        return "alice"

    async def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        await self._hang("admit_to")

    async def _hang(self, where: str) -> None:
        while where == self._where and not self.over.is_set():
            try:
                await self.over.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                if self._heeds:
                    raise


@pytest.mark.parametrize("where", ["admit", "admit_to"])
@pytest.mark.parametrize("heeds", [True, False])
def test_a_guard_that_hangs_lets_nobody_pass_and_holds_no_request(
    where: str, heeds: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_wait, "GUARD_LIMIT_S", 0.05)
    guard = Hanging(where, heeds)
    request = to_model()

    async def asked() -> Response:
        answer = await route_for(Asked("bob"), guard).passage(request)
        await eventually(lambda: guard.cancelled == 1, "it is cancelled")
        guard.over.set()
        return answer

    answer = asyncio.run(asked())
    assert (answer.status, request.steps) == (503, [])
    assert answer.headers["Retry-After"] == "1"
    assert msgspec.json.decode(answer.body)["plugin"] == "tfaas_guard"
    (record,) = caplog.records
    assert "plugin tfaas_guard hangs in the guard Hanging: no answer within 0.05 s" in (
        record.getMessage()
    )


def test_a_guard_is_cancelled_with_its_request() -> None:
    guard = Hanging("admit", heeds=True)
    request = to_model()

    async def asked() -> None:
        passing = asyncio.ensure_future(route_for(guard).passage(request))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        passing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await passing
        await eventually(lambda: guard.cancelled == 1, "it is cancelled")

    asyncio.run(asked())
    assert request.steps == []
