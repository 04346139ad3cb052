"""What plugins do beside serving: entered in order, left in the reverse one, whatever fails."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

import pytest
import uvloop

from tests.core.plugins.sources import InstallPlugin, installed
from tfaas_core.errors import PluginError
from tfaas_core.plugins import calls, lifespan
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

Log = pytest.LogCaptureFixture


def source(*, enter: str = "pass", leave: str = "pass", options: str = "") -> str:
    """A plugin that notes what it does in the host, which is a list here."""
    return f"""
import asyncio, time
from contextlib import asynccontextmanager, suppress
from tfaas_core.hookspecs import hookimpl

async def fail():
    raise OSError("no disk")

@hookimpl{options}
@asynccontextmanager
async def tfaas_lifespan(host):
    host.append("enter " + __name__[-1])
    {enter}
    yield
    host.append("leave " + __name__[-1])
    {leave}
"""


async def entered(done: list[str]) -> AsyncExitStack:
    """All of what is installed, entered; ``done`` is its host."""
    async with AsyncExitStack() as started:
        for each in installed().lifespans(done):
            await started.enter_async_context(each)
        return started.pop_all()


async def fails_to_enter(done: list[str]) -> PluginError:
    with pytest.raises(PluginError) as caught:
        await entered(done)
    return caught.value


class TestLifespan:
    loop_factory = uvloop.new_event_loop

    @in_event_loop
    async def test_all_are_entered_in_order_and_left_in_the_reverse_one(
        self, install_plugin: InstallPlugin
    ) -> None:
        install_plugin("tfaas-a", source(options="(trylast=True)"))
        install_plugin("tfaas-b", source())
        install_plugin("tfaas-c", source())
        install_plugin("tfaas-d", source(options="(tryfirst=True)"))
        done: list[str] = []
        async with await entered(done):
            assert done == ["enter d", "enter b", "enter c", "enter a"]
            done.clear()
        assert done == ["leave a", "leave c", "leave b", "leave d"]

    @pytest.mark.parametrize(
        ("enter", "reason"),
        [
            ("raise OSError('no\\ndisk')", "OSError: no disk"),
            ("raise SystemExit(3)", "SystemExit: 3"),
            ("raise asyncio.CancelledError", "CancelledError"),
            ("return", "RuntimeError: generator didn't yield"),
        ],
    )
    @in_event_loop
    async def test_one_that_fails_to_enter_is_named_and_those_before_it_are_left(
        self, install_plugin: InstallPlugin, enter: str, reason: str
    ) -> None:
        install_plugin("tfaas-a", source())
        install_plugin("tfaas-b", source(enter=enter), version="2.1")
        install_plugin("tfaas-c", source())
        done: list[str] = []
        error = await fails_to_enter(done)
        assert error.message == (
            f"plugin tfaas_b (tfaas-b 2.1) failed in entering tfaas_lifespan: {reason}; "
            "fix it, or list it in [plugins] disabled"
        )
        assert error.details == {"plugin": "tfaas_b"}
        assert done == ["enter a", "enter b", "leave a"]

    @pytest.mark.parametrize("leave", ["raise OSError('no disk')", "raise SystemExit(3)"])
    @in_event_loop
    async def test_one_that_fails_to_leave_is_logged_and_the_others_are_left(
        self, install_plugin: InstallPlugin, caplog: Log, leave: str
    ) -> None:
        install_plugin("tfaas-a", source())
        install_plugin("tfaas-b", source(leave=leave))
        done: list[str] = []
        async with await entered(done):
            done.clear()
        assert done == ["leave b", "leave a"]
        (record,) = caplog.records
        assert "plugin tfaas_b (tfaas-b 1.0) failed in leaving tfaas_lifespan" in record.message
        assert record.levelno == logging.ERROR
        assert record.exc_info is not None

    @pytest.mark.parametrize(
        "hang",
        [
            "await asyncio.Event().wait()",
            "time.sleep(3600)",
            "\n    while 'over' not in host:\n        with suppress(asyncio.CancelledError):\n"
            "            await asyncio.sleep(0.01)",
        ],
    )
    @in_event_loop
    async def test_one_that_never_returns_from_entering_is_named(
        self, install_plugin: InstallPlugin, monkeypatch: pytest.MonkeyPatch, hang: str
    ) -> None:
        monkeypatch.setattr(calls, "CALL_LIMIT_S", 0.2)
        install_plugin("tfaas-a", source())
        install_plugin("tfaas-b", source(enter=hang))
        done: list[str] = []
        error = await fails_to_enter(done)
        expected = "(tfaas-b 1.0) does not return from entering tfaas_lifespan within 0.2 s"
        assert expected in error.message
        assert done == ["enter a", "enter b", "leave a"]
        await nothing_is_left(done)

    @pytest.mark.parametrize("hang", ["await asyncio.Event().wait()", "time.sleep(3600)"])
    @in_event_loop
    async def test_one_that_never_returns_from_leaving_is_given_up_and_logged(
        self,
        install_plugin: InstallPlugin,
        monkeypatch: pytest.MonkeyPatch,
        caplog: Log,
        hang: str,
    ) -> None:
        monkeypatch.setattr(lifespan, "LEAVE_LIMIT_S", 0.2)
        install_plugin("tfaas-a", source())
        install_plugin("tfaas-b", source(leave=hang))
        done: list[str] = []
        async with await entered(done):
            done.clear()
        assert done == ["leave b", "leave a"]
        expected = "(tfaas-b 1.0) does not return from leaving tfaas_lifespan within 0.2 s"
        assert [expected in record.message for record in caplog.records] == [True]
        await nothing_is_left(done)

    @in_event_loop
    async def test_a_plugin_may_keep_a_task_group_open(self, install_plugin: InstallPlugin) -> None:
        watch = "async with asyncio.TaskGroup() as tasks:\n        tasks.create_task(watch(host))"
        install_plugin(
            "tfaas-a",
            source(enter=watch).replace("    yield", "        yield")
            + "\nasync def watch(host):\n    host.append('watching')\n",
        )
        done: list[str] = []
        async with await entered(done):
            await eventually(lambda: "watching" in done, "the task runs")
        assert done[-1] == "leave a"

    @in_event_loop
    async def test_a_task_group_that_fails_is_logged_and_serving_goes_on(
        self, install_plugin: InstallPlugin, caplog: Log
    ) -> None:
        group = "async with asyncio.TaskGroup() as tasks:\n        tasks.create_task(fail())"
        install_plugin("tfaas-a", source(enter=group).replace("    yield", "        yield"))
        install_plugin("tfaas-b", source())
        done: list[str] = []
        async with await entered(done):
            await eventually(lambda: bool(caplog.records), "it is logged")
            assert done == ["enter a", "enter b"]
        assert done == ["enter a", "enter b", "leave b"]
        (record,) = caplog.records
        expected = "plugin tfaas_a (tfaas-a 1.0) has left tfaas_lifespan by itself, before the end"
        assert record.message.startswith(expected)
        assert "no disk" in caplog.text


async def nothing_is_left(done: list[str]) -> None:
    """Waits for the tasks that were given up."""
    done.append("over")
    await eventually(
        lambda: not [t for t in asyncio.all_tasks() if t.get_name().startswith(lifespan.HOOK)],
        "all tasks have ended",
    )
