"""The part of Engine's contract about an upload that runs before it is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfaas_core.errors import DeadlinePassed, DoesNotFit
from tfaas_core.testing.engine_harness import are_sums, is_sum, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import TRIGGER
from tfaas_core.testing.suites.engine.case import EngineCase


class PreparedContract(EngineCase):
    """What runs of a prepared candidate do, and what it is afterwards."""

    @in_event_loop
    async def test_a_prepared_upload_runs_and_answers_on_once_it_is_stored(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path) as harness:
            worker = harness.worker
            staged = worker.candidate("vk", "sum")
            loaded = await worker.engine.prepare(staged)
            for turn in range(20):
                rows = rows_of(*range(turn))
                assert is_sum(await worker.run_prepared(loaded, rows), rows)
            version = harness.shelf.commit("vk", Path(staged.path), loaded)
            await worker.engine.adopt(loaded.ticket, version)
            requests = [rows_of(number) for number in range(20)]
            assert are_sums(await worker.run_all(version, requests), requests)
            await self.until_loaded(1)
            worker.retire(version)
            await self.until_loaded(0)

    @in_event_loop
    async def test_what_ran_before_it_was_stored_has_left_no_trace(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            worker = harness.worker
            staged = worker.candidate("vk", "add-up")
            loaded = await worker.engine.prepare(staged)
            # Nor have the values that warmed it up.
            assert (await worker.run_prepared(loaded, rows_of(5))).tolist() == [[5]]
            assert (await worker.run_prepared(loaded, rows_of(5))).tolist() == [[10]]
            version = harness.shelf.commit("vk", Path(staged.path), loaded)
            await worker.engine.adopt(loaded.ticket, version)
            for total in (1, 2):
                assert (await worker.run(version, rows_of(1))).tolist() == [[total]]

    @in_event_loop
    async def test_a_prepared_upload_that_ran_is_discarded_as_any_other(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path) as harness:
            loaded = await harness.worker.prepare("vk", "sum")
            assert is_sum(await harness.worker.run_prepared(loaded, rows_of(1)), rows_of(1))
            harness.worker.engine.discard(loaded.ticket)
            await self.until_loaded(0)

    @in_event_loop
    async def test_an_upload_runs_beside_the_version_that_it_will_replace(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path) as harness:
            worker = harness.worker
            old = await worker.upload("vk", "sum")
            loaded = await worker.prepare("vk", "count")
            assert (await worker.run_prepared(loaded, rows_of(8, 9))).tolist() == [[2], [2]]
            assert (await worker.run(old, rows_of(8, 9))).tolist() == [[8], [9]]
            worker.engine.discard(loaded.ticket)
            await self.until_loaded(1)

    @in_event_loop
    async def test_a_run_of_a_prepared_upload_fails_in_the_models_words(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path) as harness:
            loaded = await harness.worker.prepare("vk", "refuse")
            with pytest.raises(DoesNotFit, match="the model refuses this row"):
                await harness.worker.run_prepared(loaded, rows_of(TRIGGER))
            assert is_sum(await harness.worker.run_prepared(loaded, rows_of(1)), rows_of(1))
            harness.worker.engine.discard(loaded.ticket)

    @in_event_loop
    async def test_a_run_of_a_prepared_upload_has_the_deadline_of_any_request(
        self, tmp_path: Path
    ) -> None:
        settings = ("server.request_timeout_s=0.1", "engine.max_batch_rows=1")
        async with self.engine(tmp_path, *settings) as harness:
            loaded = await harness.worker.prepare("vk", "sleep 0.02")
            with pytest.raises(DeadlinePassed, match="request_timeout_s"):
                await harness.worker.run_prepared(loaded, rows_of(*range(20)))
            harness.worker.engine.discard(loaded.ticket)
            await self.until_loaded(0)

    @in_event_loop
    async def test_ready_tells_who_had_the_version_loaded(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            version = harness.worker.store("vk", "sum")
            assert await harness.worker.engine.ready(version) is True
            assert await harness.worker.engine.ready(version) is False
            uploaded = await harness.worker.upload("vk", "sum")
            assert await harness.worker.engine.ready(uploaded) is False

    @in_event_loop
    async def test_a_stateful_version_that_is_ready_is_not_to_be_warmed_up(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path) as harness:
            version = harness.worker.store("vk", "add-up")
            assert await harness.worker.engine.ready(version) is False
            assert (await harness.worker.run(version, rows_of(1))).tolist() == [[1]]
