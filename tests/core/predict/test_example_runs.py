"""Examples through a real engine and the real codec; models are functions of this process."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tfaas_plugins.codecs.json.codec import JsonCodec

from tfaas_core.config import load_config
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe, DoesNotFit
from tfaas_core.host import Host
from tfaas_core.models.examples import examples_of, examples_to_run
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.example_runs import ExampleRuns
from tfaas_core.route import Head
from tfaas_core.storage import MODEL
from tfaas_core.testing.engine_harness import Harness, started
from tfaas_core.testing.function_servable import FunctionServable, OneServable
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import TRIGGER
from tfaas_core.uploads.form import FormFile
from tfaas_core.uploads.package import Received
from tfaas_core.uploads.upload import Upload
from tfaas_core.wiring.composition import Composition

ROW = [7.0, 8.0, 9.0]


@asynccontextmanager
async def harness_of(folder: Path, *settings: str) -> AsyncIterator[Harness]:
    async with started(LocalEngineFactory(), folder, settings) as harness:
        yield harness


def warm_up(harness: Harness, max_rows: int = 100) -> ExampleRuns:
    return ExampleRuns(harness.worker.engine, {"json": JsonCodec()}, max_rows)


def with_examples(version: ModelVersion, *examples: dict[str, Any]) -> ModelVersion:
    return msgspec.structs.replace(version, warmup={"examples": list(examples)})


async def refusal(folder: Path, word: str, *examples: dict[str, Any], **settings: float) -> str:
    """Why an upload with these examples cannot be served; empty where it can."""
    options = [f"server.{key}={value}" for key, value in settings.items()]
    async with harness_of(folder, *options) as harness:
        loaded = await harness.worker.prepare("vk", word)
        version = with_examples(harness.worker.store("vk", word), *examples)
        try:
            await warm_up(harness).check(loaded.ticket, version, examples_to_run(version))
        except CannotServe as error:
            return error.message if error.details["field"] in error.message else ""
        finally:
            harness.worker.engine.discard(loaded.ticket)
        return ""


@in_event_loop
async def test_examples_that_are_reproduced_pass(tmp_path: Path) -> None:
    examples: list[dict[str, Any]] = [
        {"values": [1, 2, 3], "outputs": [6]},
        {"values": [[1, 2, 3], [4, 5, 6]], "outputs": [[6], [15.0001]]},
        {"values": [1, 2, 3]},
        {"inputs": {"x": [1, 2, 3]}, "outputs": [7], "tolerance": 1},
    ]
    assert await refusal(tmp_path, "sum", *examples) == ""


@in_event_loop
async def test_the_first_example_that_is_not_reproduced_is_named(tmp_path: Path) -> None:
    examples: list[dict[str, Any]] = [
        {"values": [1, 2, 3], "outputs": [6]},
        {"values": [[1, 2, 3], [4, 5, 6]], "outputs": [[6], [15.1]]},
        {"values": [1, 2, 3], "outputs": [0]},
    ]
    assert await refusal(tmp_path, "sum", *examples) == (
        "warmup.examples[1]: the model does not reproduce it: output 'sum' at [1, 0]: "
        "expected 15.1, got 15.0 (tolerance 0.0001)"
    )


@in_event_loop
async def test_an_example_that_the_model_does_not_take_is_refused(tmp_path: Path) -> None:
    assert await refusal(tmp_path, "sum", {"values": [1, 2]}) == (
        "warmup.examples[0]: values has 2 numbers, model 'vk' takes 3"
    )
    assert "warmup.examples[0]: values is missing" in await refusal(tmp_path, "sum", {})
    assert await refusal(tmp_path, "refuse", {"values": [TRIGGER, 0, 0]}) == (
        "warmup.examples[0]: the model refuses this row"
    )
    many = {"values": [[1, 2, 3]] * 101}
    assert "101 rows are more than the 100" in await refusal(tmp_path, "sum", many)


class Discreet(JsonCodec):
    """Tells clients less than who runs the server."""

    def bind(self, *_: Any) -> Any:
        raise DoesNotFit("no such row in /srv/rows", "no such row")


@in_event_loop
async def test_of_an_example_clients_are_told_what_its_error_is_for_them(tmp_path: Path) -> None:
    async with harness_of(tmp_path) as harness:
        loaded = await harness.worker.prepare("vk", "sum")
        version = with_examples(harness.worker.store("vk", "sum"), {"values": [1, 2, 3]})
        runs = ExampleRuns(harness.worker.engine, {"json": Discreet()}, 100)
        with pytest.raises(CannotServe, match=r"\]: no such row in /srv/rows$") as refused:
            await runs.check(loaded.ticket, version, examples_to_run(version))
        assert refused.value.document()["error"] == "warmup.examples[0]: no such row"
        harness.worker.engine.discard(loaded.ticket)


@in_event_loop
async def test_none_is_run_where_the_params_want_nothing_run(tmp_path: Path) -> None:
    async with harness_of(tmp_path) as harness:
        worker = harness.worker
        loaded = await worker.prepare("vk", "refuse")
        plain = with_examples(worker.store("vk", "refuse"), {"values": [TRIGGER, 0, 0]})
        for runs in ("all", "examples"):
            version = msgspec.structs.replace(plain, params={"warmup": runs})
            with pytest.raises(CannotServe, match="the model refuses this row"):
                await warm_up(harness).check(loaded.ticket, version, examples_to_run(version))
        version = msgspec.structs.replace(plain, params={"warmup": "none"})
        await warm_up(harness).check(loaded.ticket, version, examples_to_run(version))
        harness.worker.engine.discard(loaded.ticket)


@in_event_loop
async def test_a_crash_and_a_hang_are_the_examples_fault(tmp_path: Path) -> None:
    fine, fatal = {"values": [1, 2, 3]}, {"values": [TRIGGER, 0, 0]}
    assert await refusal(tmp_path, "abort", fine, fatal) == (
        "warmup.examples[1]: the process of model 'vk' died under this request"
    )
    assert "warmup.examples[1]: model 'vk' did not answer within 1 s" in await refusal(
        tmp_path, "hang", fine, fatal, request_timeout_s=1
    )


@in_event_loop
async def test_without_the_codec_examples_are_refused_and_others_are_not(tmp_path: Path) -> None:
    async with harness_of(tmp_path) as harness:
        loaded = await harness.worker.prepare("vk", "sum")
        plain = harness.worker.store("vk", "sum")
        warmup = ExampleRuns(harness.worker.engine, {}, 100)
        await warmup.check(loaded.ticket, plain, examples_of(plain))
        version = with_examples(plain, {"values": [1, 2, 3]})
        with pytest.raises(CannotServe, match=r"warmup.examples\[0\]: the codec 'json'.*disabled"):
            await warmup.check(loaded.ticket, version, examples_of(version))
        harness.worker.engine.discard(loaded.ticket)


@in_event_loop
@pytest.mark.parametrize(
    ("word", "words"),
    [
        (
            "refuse",
            "some examples of vk/1 could not be run: warmup.examples[0]: the model refuses",
        ),
        ("abort", "the examples of vk/1 are not run: the process of model 'vk' died"),
    ],
)
async def test_a_stored_version_is_ready_whatever_its_examples_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, word: str, words: str
) -> None:
    async with harness_of(tmp_path) as harness:
        version = with_examples(
            harness.worker.store("vk", word),
            {"values": [TRIGGER, 0, 0]},
            {"values": ROW, "outputs": ["not compared"]},
        )
        await warm_up(harness).ready(version)
        warnings = [r.getMessage() for r in caplog.records if r.name == "tfaas.warmup"]
        assert len(warnings) == 1
        assert words in warnings[0]


class ExitingCodec(JsonCodec):
    def parse(self, body: bytes, head: Head) -> Any:
        raise SystemExit(3)


@in_event_loop
async def test_a_stored_version_is_ready_even_if_a_codec_calls_exit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with harness_of(tmp_path) as harness:
        version = with_examples(harness.worker.store("vk", "sum"), {"values": ROW})
        await ExampleRuns(harness.worker.engine, {"json": ExitingCodec()}, 100).ready(version)
    assert "the examples of vk/1 are not run" in caplog.text


@asynccontextmanager
async def host_of(root: Path, servable: FunctionServable) -> AsyncIterator[Host]:
    """A host that runs one function, whatever is uploaded."""
    settings = ["engine.isolation=inline", "server.workers=1", f"storage.root={root}"]
    composition = Composition.of(load_config(None, settings, {}))
    runtimes = {"one": OneServable(servable)}
    composition = msgspec.structs.replace(composition, runtimes=runtimes)
    async with Host.started(composition) as host:
        yield host


async def publish(host: Host, params: dict[str, Any]) -> ModelVersion:
    async with Upload.begun(host.publisher) as upload:
        await upload.claim("vk")
        files = {MODEL: b"a function", "params.json": json.dumps(params).encode()}
        forms = []
        for name, content in files.items():
            (upload.staging / name).write_bytes(content)
            forms.append(FormFile(upload.staging / name, name, len(content), "", None))
        return await upload.publish(Received(forms[0], forms[1]))


def sums() -> FunctionServable:
    return FunctionServable(lambda rows: rows.sum(1, keepdims=True, dtype=np.float32))


def ran(servable: FunctionServable, row: Sequence[float]) -> int:
    """How often a row was run since the last look."""
    runs = [rows.tolist() for (rows,) in servable.runs]
    servable.runs.clear()
    return runs.count([row])


@in_event_loop
async def test_examples_run_on_each_host_before_requests_go_there(tmp_path: Path) -> None:
    here, there = sums(), sums()
    async with host_of(tmp_path, here) as host, host_of(tmp_path, there) as other:
        await publish(host, {"example": {"values": ROW, "outputs": [24]}})
        assert (ran(here, ROW), ran(there, ROW)) == (1, 0)
        await publish(host, {})
        await other.catalog.refresh("vk")
        body = json.dumps({"model": "vk", "values": ROW}).encode()
        for each in (host, other):
            await each.predictor.predict(each.codecs["json"], body, Head())
        assert (ran(here, ROW), ran(there, ROW)) == (1, 1)
        await host.publisher.roll_back("vk")
        assert ran(here, ROW) == 1
        await other.catalog.refresh("vk")
        assert ran(there, ROW) == 1


@in_event_loop
async def test_examples_that_take_long_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tfaas_core.predict.example_runs._WARMING_S", 0.05)
    async with harness_of(tmp_path) as harness:
        version = with_examples(
            harness.worker.store("vk", "sleep 0.02"), *[{"values": ROW} for _ in range(100)]
        )
        await asyncio.wait_for(warm_up(harness).ready(version), 10)
    assert "the examples of vk/1 take too long" in caplog.text
    assert logging.WARNING in {record.levelno for record in caplog.records}
