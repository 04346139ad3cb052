"""The part of Engine's contract about requests to a model that is there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from tfaas_core.errors import DeadlinePassed, DoesNotFit, QueueFull, TfaasError
from tfaas_core.testing.engine_harness import are_sums, is_sum, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import TRIGGER
from tfaas_core.testing.suites.engine.case import EngineCase
from tfaas_core.visit import Timing


class RunContract(EngineCase):
    """What runs do: right numbers, own numbers, limits, deadlines."""

    @in_event_loop
    async def test_answers_are_of_the_signatures_dtype_and_shape(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            version = await harness.worker.upload("vk", "sum")
            for count in (1, 2, 0, 1000):
                answer = await harness.worker.run(version, rows_of(*range(count)))
                assert answer.dtype == np.float32
                assert answer.shape == (count, 1)

    @in_event_loop
    async def test_each_of_many_concurrent_requests_gets_its_own_answer(
        self, tmp_path: Path
    ) -> None:
        random = Random(7)
        async with self.engine(tmp_path, "engine.max_batch_rows=64") as harness:
            # The first turn finds the model not loaded.
            version = harness.worker.store("vk", "sum")
            for _turn in range(5):
                sizes = random.choices((0, 1, 1, 1, 2, 7, 40), k=400)
                requests = [rows_of(*random.choices(range(100_000), k=size)) for size in sizes]
                assert are_sums(await harness.worker.run_all(version, requests), requests)

    @in_event_loop
    async def test_a_run_tells_how_long_it_took(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            engine, version = harness.worker.engine, await harness.worker.upload("vk", "sum")
            timing = Timing()
            await engine.run(version, [rows_of(1, 2)], 2, timing=timing)
            assert timing.wait_s is not None
            assert timing.run_s is not None
            assert timing.wait_s >= 0
            assert timing.run_s >= 0
            assert timing.run_rows == (2 if engine.tells_runs else None)

    @in_event_loop
    async def test_requests_of_several_workers_get_their_own_answers(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path, workers=2) as harness:
            version = await harness.worker.upload("vk", "sum")
            other = await harness.start_worker(1)
            ones = [rows_of(number) for number in range(300)]
            twos = [rows_of(-number, number) for number in range(300)]
            answers = await asyncio.gather(
                harness.worker.run_all(version, ones), other.run_all(version, twos)
            )
            assert are_sums(answers[0], ones)
            assert are_sums(answers[1], twos)

    @in_event_loop
    async def test_a_request_beyond_max_batch_rows_is_answered_whole(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path, "engine.max_batch_rows=10") as harness:
            version = await harness.worker.upload("vk", "sum")
            requests = [rows_of(*range(start, start + 95)) for start in range(0, 950, 95)]
            for some in (requests[:1], requests):
                assert are_sums(await harness.worker.run_all(version, some), some)

    @in_event_loop
    async def test_rows_that_are_not_independent_never_share_a_run(self, tmp_path: Path) -> None:
        sizes = [1, 5, 1, 2, 30] * 10
        async with self.engine(tmp_path, "engine.max_batch_rows=10") as harness:
            version = await harness.worker.upload("vk", "count")
            for _turn in range(2):
                requests = [rows_of(*range(size)) for size in sizes]
                answers: list[Any] = await harness.worker.run_all(version, requests)
                for answer, size in zip(answers, sizes, strict=True):
                    assert answer.tolist() == [[size]] * size

    @in_event_loop
    async def test_a_whole_request_shares_no_run_and_is_not_cut(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path, "engine.max_batch_rows=4") as harness:
            worker = harness.worker
            version = await worker.upload("vk", "count", batch={"merge": True})
            sizes = [1, 9, 0, 3, 1]
            answers = await asyncio.gather(
                *[worker.engine.run(version, [rows_of(*range(n))], n, True) for n in sizes]
            )
            assert [answer.tolist() for (answer,) in answers] == [[[n]] * n for n in sizes]

    @in_event_loop
    async def test_a_model_that_wants_to_end_its_process_fails_its_request_alone(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path) as harness:
            version = await harness.worker.upload("vk", "exit")
            for _turn in range(2):
                requests = [rows_of(1), rows_of(TRIGGER), rows_of(2)]
                answers = await harness.worker.run_all(version, requests)
                assert is_sum(answers[0], requests[0])
                assert type(answers[1]) is TfaasError
                assert is_sum(answers[2], requests[2])

    @in_event_loop
    async def test_a_refused_row_fails_alone(self, tmp_path: Path) -> None:
        refused = {0, 17, 18, 99}
        async with self.engine(tmp_path) as harness:
            version = await harness.worker.upload("vk", "refuse")
            for _turn in range(2):
                requests = [
                    rows_of(1, TRIGGER) if number in refused else rows_of(number, number + 1)
                    for number in range(100)
                ]
                answers = await harness.worker.run_all(version, requests)
                errors = [answers[number] for number in sorted(refused)]
                assert {(type(e), str(e)) for e in errors} == {
                    (DoesNotFit, "the model refuses this row")
                }
                others = [number for number in range(100) if number not in refused]
                assert are_sums([answers[i] for i in others], [requests[i] for i in others])

    @in_event_loop
    async def test_rows_beyond_max_queue_rows_are_refused_until_some_are_answered(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path, "engine.max_queue_rows=10") as harness:
            # At first they wait for the model to be loaded, then for its answers.
            version = harness.worker.store("vk", "sleep 0.02")
            for _turn in range(3):
                requests = [rows_of(*range(5)), *[rows_of(number) for number in range(9)]]
                answers = await harness.worker.run_all(version, requests)
                assert are_sums(answers[:6], requests[:6])
                assert [type(answer) for answer in answers[6:]] == [QueueFull] * 4
            full = rows_of(*range(10))
            assert is_sum(await harness.worker.run(version, full), full)
            assert type(await harness.worker.try_run(version, rows_of(*range(11)))) is QueueFull

    @in_event_loop
    async def test_a_request_that_waits_too_long_fails_and_a_later_one_is_answered(
        self, tmp_path: Path
    ) -> None:
        settings = ("server.request_timeout_s=0.3", "engine.max_batch_rows=1")
        async with self.engine(tmp_path, *settings) as harness:
            worker = harness.worker
            version = await worker.upload("vk", "sleep 0.03")
            await worker.run(version, rows_of(0))
            waiting = []
            for number in range(20):
                waiting.append(asyncio.create_task(worker.try_run(version, rows_of(number))))
                # So that they do not make one batch.
                await asyncio.sleep(0)
            answers = await asyncio.gather(*waiting)
            outcomes = [
                is_sum(answer, rows_of(i)) or type(answer) for i, answer in enumerate(answers)
            ]
            assert outcomes[0] is True
            assert outcomes[-1] is DeadlinePassed
            assert set(outcomes) == {True, DeadlinePassed}
            async with asyncio.timeout(30):
                while not is_sum(await worker.try_run(version, rows_of(3)), rows_of(3)):
                    # Who is refused at once has let nobody else go on.
                    await asyncio.sleep(0)

    @in_event_loop
    async def test_clients_that_do_not_wait_for_their_answers_harm_nobody(
        self, tmp_path: Path
    ) -> None:
        requests = [rows_of(number) for number in range(40)]
        async with self.engine(tmp_path, "engine.max_queue_rows=40") as harness:
            version = harness.worker.store("vk", "sleep 0.01")
            for _turn in range(3):
                runs = [asyncio.create_task(harness.worker.run(version, r)) for r in requests]
                await asyncio.sleep(0)
                for run in runs[::2]:
                    run.cancel()
                answers = await asyncio.gather(*runs, return_exceptions=True)
                assert are_sums(answers[1::2], requests[1::2])
