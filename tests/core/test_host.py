"""A host's life: what is started is whole, and ends in order, whatever fails."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from tfaas_core.config import load_config
from tfaas_core.engine.base import Engine, EngineContext, EngineFactory, Supervisor, WorkerContext
from tfaas_core.engine.resting import RestingEngine
from tfaas_core.errors import PluginError, StorageUnavailable, Unavailable
from tfaas_core.events import ModelEvent, ModelLoaded
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model
from tfaas_core.plugins import time_limit
from tfaas_core.plugins.lifespan import LEAVE_LIMIT_S
from tfaas_core.plugins.owned_part import PartFailedError
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.models import model_version
from tfaas_core.testing.waiting import until
from tfaas_core.wiring.composition import Composition
from tfaas_core.wiring.worker_place import WorkerPlace

InstallPlugin = Callable[..., Path]

LIFESPAN = """
from contextlib import asynccontextmanager
from tfaas_core.hookspecs import hookimpl

@hookimpl
@asynccontextmanager
async def tfaas_lifespan(host):
    host.storage.steps.take("lifespan.enter")
    yield
    host.storage.steps.take("lifespan.leave")
"""
OBSERVER = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.observer import Observer

class Watch(Observer):
    def __init__(self, host):
        self._host = host

    def loaded(self, event):
        self._host.shared.setdefault("told", []).append(event)

@hookimpl
def tfaas_register_observers(host):
    return [Watch(host)]
"""
BEGUN = ["storage.open", "engine.start", "storage.list"]
ENDED = ["engine.close", "storage.close"]


class Steps:
    """What is done, in order; a step of ``failing`` raises the error that it is given there."""

    def __init__(self, failing: Mapping[str, BaseException]) -> None:
        self.done: list[str] = []
        self._failing = failing

    def take(self, step: str) -> None:
        self.done.append(step)
        if step in self._failing:
            raise self._failing[step]


class SteppedStorage(FakeStorage):
    def __init__(self, folder: Path, steps: Steps) -> None:
        super().__init__(folder)
        self.steps = steps

    def open(self) -> None:
        self.steps.take("storage.open")
        super().open()

    def list(self) -> list[Model]:
        self.steps.take("storage.list")
        return super().list()

    def close(self) -> None:
        self.steps.take("storage.close")


class SteppedEngine(RestingEngine):
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def start(self) -> None:
        self._steps.take("engine.start")

    async def close(self) -> None:
        self._steps.take("engine.close")


class SteppedFactory(EngineFactory):
    """``context`` is that of the last engine."""

    context: WorkerContext

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def supervisor(self, context: EngineContext) -> Supervisor | None:
        return None

    def engine(self, context: WorkerContext) -> Engine:
        self.context = context
        return SteppedEngine(self._steps)


def composed(folder: Path, steps: Steps) -> Composition:
    return msgspec.structs.replace(
        Composition.of(load_config(environ={})),
        storage=SteppedStorage(folder, steps),
        engine_factory=SteppedFactory(steps),
    )


@in_event_loop
async def test_a_started_host_is_whole_and_ends_with_its_block(tmp_path: Path) -> None:
    steps = Steps({})
    async with Host.started(composed(tmp_path, steps)) as host:
        assert host.catalog.list() == []
        assert [process.kind for process in (await host.status()).processes] == ["http_worker"]
        assert steps.done == BEGUN
    assert steps.done == [*BEGUN, *ENDED]


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ("storage.open", BEGUN[:1]),
        ("engine.start", [*BEGUN[:2], *ENDED]),
        ("storage.list", [*BEGUN, *ENDED]),
    ],
)
@in_event_loop
async def test_what_was_started_before_a_failure_is_ended_the_last_first(
    tmp_path: Path, failing: str, expected: list[str]
) -> None:
    steps = Steps({failing: RuntimeError(failing)})
    with pytest.raises(PartFailedError, match=f"^plugin tfaas.* `.*`: RuntimeError: {failing}$"):
        async with Host.started(composed(tmp_path, steps)):
            pytest.fail("it has started")
    assert steps.done == expected


@pytest.mark.parametrize("failing", ["", "lifespan.enter", "lifespan.leave"])
@in_event_loop
async def test_plugins_begin_last_and_end_first(
    install_plugin: InstallPlugin, tmp_path: Path, failing: str
) -> None:
    install_plugin("tfaas-lifespan", LIFESPAN)
    steps = Steps({failing: RuntimeError(failing)})
    composition = composed(tmp_path, steps)
    Host.at_rest(composition)
    assert steps.done == []
    timeout_s = composition.config.server.request_timeout_s
    lifespans = composition.plugins.owners("lifespan")
    assert "tfaas_lifespan" in lifespans
    assert composition.drain_limit_s == timeout_s + LEAVE_LIMIT_S * len(lifespans)
    cannot = pytest.raises(PluginError, match=r"plugin tfaas_lifespan .* RuntimeError: lifespan")
    with cannot if failing == "lifespan.enter" else nullcontext():
        async with Host.started(composition):
            assert steps.done == [*BEGUN, "lifespan.enter"]
    left = [] if failing == "lifespan.enter" else ["lifespan.leave"]
    assert steps.done == [*BEGUN, "lifespan.enter", *left, *ENDED]


ENDINGS = (RuntimeError("second"), SystemExit(1), StopIteration(), asyncio.CancelledError())


@pytest.mark.parametrize("second", ENDINGS, ids=repr)
@pytest.mark.parametrize("step", ENDED)
@in_event_loop
async def test_an_end_that_fails_is_logged_with_its_plugin_and_all_else_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, step: str, second: BaseException
) -> None:
    steps = Steps({step: second})
    async with Host.started(composed(tmp_path, steps)):
        assert caplog.records == []
    assert steps.done == [*BEGUN, *ENDED]
    (record,) = caplog.records
    assert re.match(
        r"plugin tfaas_.* failed in closing the (storage `filesystem`|engine `local`): "
        rf"(RuntimeError: coroutine raised )?{type(second).__name__}",
        record.getMessage(),
    )
    assert record.exc_info is not None


@in_event_loop
async def test_an_end_that_fails_hides_no_failed_start(tmp_path: Path) -> None:
    steps = Steps({"engine.start": RuntimeError("first"), "engine.close": OSError("second")})
    with pytest.raises(PartFailedError, match=r"local failed in starting .*: RuntimeError: first"):
        async with Host.started(composed(tmp_path, steps)):
            pytest.fail("it has started")
    assert steps.done == [*BEGUN[:2], *ENDED]


@in_event_loop
async def test_who_waits_for_a_part_is_told_for_which(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limit, "TELL_EVERY_S", 0.01)
    told = "tfaas_backends.storages.filesystem has been opening the storage `filesystem` for 0.02 s"

    class SlowStorage(FakeStorage):
        def open(self) -> None:
            until(lambda: told in caplog.text)

    composition = composed(tmp_path, Steps({}))
    storage = SlowStorage(tmp_path)
    async with Host.started(msgspec.structs.replace(composition, storage=storage)):
        assert told in caplog.text


@in_event_loop
async def test_only_a_host_with_a_parent_starts_without_its_storage(tmp_path: Path) -> None:
    async def announce(_name: str) -> None:
        pytest.fail("nothing has changed")

    steps = Steps({step: StorageUnavailable("away") for step in ("storage.open", "storage.list")})
    named = "^opening the storage `filesystem` failed: away$"
    with pytest.raises(StorageUnavailable, match=named):
        async with Host.started(composed(tmp_path, steps)):
            pytest.fail("it has started")
    steps.done.clear()
    async with Host.started(composed(tmp_path, steps), WorkerPlace(announce=announce)) as host:
        with pytest.raises(StorageUnavailable, match="away"):
            host.catalog.get("vk")
    assert steps.done == [*BEGUN, *ENDED]


@in_event_loop
async def test_what_an_engine_tells_observers_hear_once_they_are_there(
    install_plugin: InstallPlugin, tmp_path: Path
) -> None:
    install_plugin("tfaas-watch", OBSERVER)
    factory = SteppedFactory(Steps({}))
    composition = composed(tmp_path, Steps({}))
    event = ModelLoaded(model="vk", version=1, runtime="fake", pid=None, duration_s=1.0)
    async with Host.started(msgspec.structs.replace(composition, engine_factory=factory)) as host:
        factory.context.tell(event)
        host.routes()
        factory.context.tell(event)
        assert host.shared["told"] == [event]
    sent: list[ModelEvent] = []
    async with Host.started(
        msgspec.structs.replace(composition, engine_factory=factory), WorkerPlace(tell=sent.append)
    ) as host:
        host.routes()
        factory.context.tell(event)
        assert sent == [event]
        assert "told" not in host.shared, "the parent says whose observers are told"


@in_event_loop
async def test_a_host_at_rest_has_all_its_parts_and_starts_none(tmp_path: Path) -> None:
    steps = Steps({})
    host = Host.at_rest(composed(tmp_path, steps))
    assert host.routes()
    assert (await host.engine.servables(), host.engine.uses(model_version())) == ([], False)
    with pytest.raises(Unavailable, match="not started"):
        await host.engine.run(model_version(), [], 0)
    assert steps.done == []


@in_event_loop
async def test_all_hosts_have_the_same_attributes(tmp_path: Path) -> None:
    composition = composed(tmp_path, Steps({}))
    async with Host.started(composition) as host:
        before = set(vars(host))
        await host.publisher.remove(await stored(host))
        assert vars(Host.at_rest(composition)).keys() == before == set(vars(host))


async def stored(host: Host) -> str:
    """The name of a model that is in the host's storage."""
    version: ModelVersion = model_version()
    with host.storage.claim(version.name) as claim:
        staging = host.storage.stage()
        (staging / "model").write_bytes(b"a model")
        host.storage.commit(claim, staging, version)
    await host.catalog.load()
    return version.name
