"""What a model's process can do, in a whole engine, as it is by default."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import psutil
import pytest

from tests.core.engine.hostile_runtime import WAITS, HostileRuntime
from tests.core.sandbox.attacks import ATTACKS
from tests.core.sandbox.test_confine import needs_all, targets
from tests.other_account import needs_root
from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe, StorageUnavailable
from tfaas_core.testing.engine_harness import RUNTIME, Harness, Shelf, is_sum, rows_of
from tfaas_core.testing.forked import fork_servers, model_processes
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

pytestmark = [needs_all, pytest.mark.usefixtures("no_model_process_stays")]


@asynccontextmanager
async def hostile(folder: Path, *settings: str) -> AsyncIterator[Harness]:
    context = EngineContext(load_config(None, settings, {}), {RUNTIME: HostileRuntime()}, 1)
    harness = Harness(LocalEngineFactory(), context, Shelf(folder))
    try:
        await harness.start()
        yield harness
    finally:
        await harness.close()


async def told(harness: Harness, word: str) -> str:
    with pytest.raises(CannotServe) as refused:
        await harness.worker.prepare("hostile", word)
    return refused.value.message


@in_event_loop
async def test_every_attack_of_a_model_is_stopped(tmp_path: Path) -> None:
    async with hostile(tmp_path, f"engine.max_model_memory_bytes={64 << 20}") as harness:
        with targets() as found:
            encoded = msgspec.json.encode(found).decode()
            # By then it has some of its own.
            for name in sorted(ATTACKS.keys() - {"use_a_descriptor_of_the_server"}):
                answer = await told(harness, f"attack {name} {encoded}")
                is_open = name == "slow_the_server_down" and psutil.Process().uids().real != 0
                assert answer.startswith("stopped by ") or is_open, f"{name} {answer}"


@in_event_loop
async def test_a_model_says_nothing_of_others(tmp_path: Path) -> None:
    async with hostile(tmp_path) as harness:
        loaded = await harness.worker.prepare("vk", "sum")
        before = model_processes()
        for _ in range(2):
            assert await told(harness, f"forge {loaded.ticket}") == "it was said"
        assert is_sum(await harness.worker.run_prepared(loaded, rows_of(1)), rows_of(1))
        assert model_processes() == before


@in_event_loop
async def test_a_model_sees_no_variable_but_those_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TFAAS_STORAGE__URL", "DATABASE_PASSWORD", "TF_VAR_PASSWORD", "TF_XLA_FLAGS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PLUGINS_OWN", "")
    async with hostile(tmp_path, 'engine.environment=["PLUGINS_OWN"]') as harness:
        names = (await told(harness, "tell")).split()
        assert {"OPENBLAS_NUM_THREADS", "PLUGINS_OWN", "TF_XLA_FLAGS"} <= set(names)
        assert not {"TFAAS_STORAGE__URL", "DATABASE_PASSWORD", "TF_VAR_PASSWORD"} & set(names)
        version = await harness.worker.upload("vk", "sum")
        (process,) = model_processes()
        assert set(process.environ()) <= set(names) | {"LC_CTYPE"}
        assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))


@in_event_loop
async def test_what_was_away_while_it_was_confined_is_no_fault_of_the_model(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with hostile(tmp_path) as harness:
        version = harness.worker.store("vk", "sum")
        artifact = harness.shelf.artifact(version)
        aside = artifact.rename(tmp_path / "aside")
        running = asyncio.ensure_future(harness.worker.run(version, rows_of(1)))
        said = ""

        def waits() -> bool:
            nonlocal said
            said += capfd.readouterr().err
            return WAITS in said

        await eventually(waits, "the model's process is confined")
        aside.rename(artifact)
        with pytest.raises(StorageUnavailable, match="went away while it was loaded; try again"):
            await running
        assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))
    assert "Traceback" not in said + capfd.readouterr().err


@needs_root
@in_event_loop
async def test_every_model_has_a_user_of_its_own(tmp_path: Path) -> None:
    async with hostile(tmp_path, "engine.first_model_user=3000000") as harness:
        for name in "ab":
            await harness.worker.upload(name, "sum")
        processes = model_processes()
        expected = {3_000_000 + process.pid for process in processes}
        assert len(expected) == 2
        for ids in ([p.uids() for p in processes], [p.gids() for p in processes]):
            assert {number for one in ids for number in one} == expected


@pytest.mark.parametrize("isolation", ["model", "shared"])
@in_event_loop
async def test_the_sandbox_can_be_switched_off(tmp_path: Path, isolation: str) -> None:
    settings = (f"engine.isolation={isolation}", "engine.sandbox=off")
    async with hostile(tmp_path, *settings) as harness:
        with targets() as found:
            encoded = msgspec.json.encode(found).decode()
            answer = await told(harness, f"attack write_a_file {encoded}")
            assert answer == "succeeded"


@in_event_loop
async def test_models_that_share_a_process_read_each_other_but_write_nothing(
    tmp_path: Path,
) -> None:
    async with hostile(tmp_path, "engine.isolation=shared") as harness:
        with targets() as found:
            encoded = msgspec.json.encode(found).decode()
            answers = {
                name: await told(harness, f"attack {name} {encoded}")
                for name in ("read_the_artifact_of_another_model", "write_a_file", "connect_by_tcp")
            }
        assert answers.pop("read_the_artifact_of_another_model") == "succeeded"
        assert all(answer.startswith("stopped by ") for answer in answers.values()), answers


@in_event_loop
async def test_the_kernel_ends_a_model_before_anything_else(tmp_path: Path) -> None:
    async with hostile(tmp_path) as harness:
        await harness.worker.upload("vk", "sum")
        (process,) = model_processes()
        assert Path(f"/proc/{process.pid}/oom_score_adj").read_text() == "1000\n"


@in_event_loop
async def test_a_fork_server_keeps_what_it_needs_to_confine_what_it_forks(tmp_path: Path) -> None:
    async with hostile(tmp_path) as harness:
        await harness.worker.upload("vk", "sum")
        (server,) = fork_servers()
        status = dict(
            line.split(":\t")
            for line in Path(f"/proc/{server.pid}/status").read_text().splitlines()
        )
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        # To read all, and to change its user, its groups and what its children may get back.
        kept = 1 << 2 | 1 << 6 | 1 << 7 | 1 << 8
        assert int(status["CapEff"], 16) & ~kept == 0
        if os.geteuid() == 0:
            assert int(status["CapBnd"], 16) == 0
