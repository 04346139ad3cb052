"""The routes, in a whole host, with as many models as have series of their own."""

from __future__ import annotations

import asyncio
import time

from tfaas_plugins.metrics.directory import Directory
from tfaas_plugins.metrics.gone_models import GoneModels
from tfaas_plugins.metrics.shared import MOST_MODELS

from tests.plugins.held import most_held_s
from tests.plugins.metrics.test_exposition import parsed
from tfaas_core.host import Host
from tfaas_core.tensors import Array
from tfaas_core.testing.fake_request import FakeLane, FakeRequest
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop

BODY = b'{"values": [1, 2, 3]}'


def double(rows: Array) -> Array:
    return rows * 2


async def asked(host: Host, models: int) -> FakeLane:
    """The way into ``host``, once each of so many models was asked."""
    lane = FakeLane(host)
    for number in range(models):
        path = f"/models/model-{number}/predict/json"
        answer = await lane.answer(FakeRequest.of("POST", path, BODY))
        assert answer.status == 200, answer.body
    return lane


@in_event_loop
async def test_a_thousand_models_cost_a_scrape_less_than_50_ms_of_cpu() -> None:
    models = {f"model-{number}": double for number in range(MOST_MODELS + 50)}
    async with host_of(models=models) as host:
        lane = await asked(host, len(models))
        scrape = FakeRequest.of("GET", "/metrics")
        await lane.answer(scrape)  # makes what stays the same from then on
        took_s = []
        for _ in range(10):
            begin_s = time.process_time()
            said = await lane.answer(scrape)
            took_s.append(time.process_time() - begin_s)
    assert said.body.count(b"tfaas_prediction_duration_seconds_count{") == MOST_MODELS + 1
    found = parsed(said.body.decode())["tfaas_predictions"].samples
    others = [s.value for s in found if s.labels["model"] == "<other>"]
    assert others == [50]
    assert min(took_s) < most_held_s(), took_s


@in_event_loop
async def test_deleted_models_make_room_once_there_is_not_much_left() -> None:
    most = MOST_MODELS // 2
    async with host_of(models={f"model-{n}": double for n in range(most + 1)}) as host:
        now_s = [0.0]
        directory = Directory(host.memory["metrics"])
        gone = GoneModels(host.catalog, directory, lambda: now_s[0])
        lane = await asked(host, most)
        await lane.answer(FakeRequest.of("DELETE", "/delete/model-0"))
        await lane.answer(FakeRequest.of("GET", "/metrics"))  # waits until all is counted
        directory.read()
        for now_s[0] in (100.0, 200.0):
            gone.give_back()
        assert len(directory.models) == most  # there is room enough
        await lane.answer(FakeRequest.of("POST", f"/models/model-{most}/predict/json", BODY))
        await lane.answer(FakeRequest.of("GET", "/metrics"))
        directory.read()
        for now_s[0], count in ((300.0, most + 1), (359.0, most + 1), (360.0, most)):
            gone.give_back()
            assert len(directory.models) == count
        assert "model-0" not in directory.models
        said = (await lane.answer(FakeRequest.of("GET", "/metrics"))).body
    assert b'tfaas_predictions_total{model="model-0"' not in said
    assert said.count(b"tfaas_prediction_duration_seconds_count{") == most


@in_event_loop
async def test_many_scrapes_at_once_are_written_once() -> None:
    async with host_of(models={"model-0": double}) as host:
        lane = await asked(host, 1)
        accept = {"Accept": "application/openmetrics-text"}
        requests = [FakeRequest.of("GET", "/metrics", b"", accept) for _ in range(50)]
        requests += [FakeRequest.of("GET", "/metrics") for _ in range(50)]
        bodies = {answer.body for answer in await asyncio.gather(*map(lane.answer, requests))}
    assert len(bodies) == 2
