"""What plugins may listen on, and where no two may."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path

import pytest
import uvloop

from tests.core.plugins.sources import LISTENER, InstallPlugin, installed, listener
from tfaas_core.config import Config, load_config
from tfaas_core.errors import ConfigError, PluginError
from tfaas_core.plugins import calls, lifespan, load_plugins
from tfaas_core.plugins.lifespan import Lifespan
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

Log = pytest.LogCaptureFixture

A, B = "plugin tfaas_a (tfaas-a 1.0)", "plugin tfaas_b (tfaas-b 1.0)"


def on(host: str, port: int = 9000, name: str = "echo") -> str:
    return listener(name=repr(name), host=repr(host), port=str(port))


def refused(config: Config) -> str:
    with pytest.raises(PluginError) as caught:
        installed().listeners(config)
    return caught.value.message


WRONG = {
    "returned <function serve> from tfaas_register_listeners, expected a Listener": (
        LISTENER.replace('Listener("echo", "127.0.0.1", 0, serve)', "serve")
    ),
    "with the name 'E C', expected lower-case letters, digits and -": listener(name='"E C"'),
    "with the name 7, expected": listener(name="7"),
    "listener `echo` on the host '', expected an address like": listener(host="''"),
    "listener `echo` on the host None, expected": listener(host="None"),
    "on the port 70000, expected an integer from 0 to 65535": listener(port="70000"),
    "on the port '80', expected an integer": listener(port="'80'"),
    "on the port True, expected an integer": listener(port="True"),
    "but what is to serve there is 'serve', not a function": listener(serve="'serve'"),
    "with the keys 7, expected a text": listener(keys="7"),
    "marks tfaas_register_listeners with `tryfirst`": LISTENER.replace(
        "@hookimpl", "@hookimpl(tryfirst=True)"
    ),
    "failed in tfaas_register_listeners: SystemExit: 3": LISTENER.replace(
        "    return [", "    raise SystemExit(3)\n    return ["
    ),
    "registers the listener `echo` twice": LISTENER.replace(
        "    return [", "    yield Listener('echo', '127.0.0.1', 0, serve)\n    yield from ["
    ),
}


@pytest.mark.parametrize("reason", WRONG)
def test_a_wrong_one_is_an_error_that_names_the_plugin(
    install_plugin: InstallPlugin, config: Config, reason: str
) -> None:
    install_plugin("tfaas-a", WRONG[reason])
    said = refused(config)
    assert said.startswith(A)
    assert re.sub(r" at 0x\w+", "", reason) in re.sub(r" at 0x\w+", "", said)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.1", "::"),
        ("::", "::1"),
    ],
)
def test_two_that_are_to_listen_at_the_same_address_are_an_error(
    install_plugin: InstallPlugin, config: Config, first: str, second: str
) -> None:
    install_plugin("tfaas-a", on(first))
    install_plugin("tfaas-b", on(second, name="other"))
    shown = f"[{second}]" if ":" in second else second
    assert refused(config) == (
        f"{B} registers its listener `other` on {shown}:9000, where the listener `echo` of {A} "
        "listens, too; let it listen elsewhere, or list it in [plugins] disabled"
    )


@pytest.mark.parametrize(
    ("first", "second", "port"),
    [("127.0.0.1", "127.0.0.1", 0), ("127.0.0.1", "127.0.0.2", 9000), ("0.0.0.0", "::1", 9000)],
)
def test_others_are_fine(
    install_plugin: InstallPlugin, config: Config, first: str, second: str, port: int
) -> None:
    install_plugin("tfaas-a", on(first, port))
    install_plugin("tfaas-b", on(second, port, "other"))
    listed = [(owned.plugin.module, owned.listener.name) for owned in installed().listeners(config)]
    assert listed == [("tfaas_a", "echo"), ("tfaas_b", "other")]


def test_the_port_of_the_server_itself_is_taken(
    install_plugin: InstallPlugin, config: Config
) -> None:
    install_plugin("tfaas-a", listener(port="8083", keys="'plugins.echo.port'"))
    assert refused(config) == (
        f"{A} registers its listener `echo` on 127.0.0.1:8083, where the server (server.host, "
        "server.port) listens, too; let it listen elsewhere (plugins.echo.port), or list it in "
        "[plugins] disabled"
    )


def test_a_port_for_management_needs_its_plugin(tmp_path: Path) -> None:
    disabled = "plugins.disabled=['tfaas_plugins.management']"
    config = load_config(None, ["server.admin_port=0", disabled], {})
    plugins = load_plugins(config.plugins.disabled)
    config = plugins.configured(config)
    with pytest.raises(ConfigError, match=r"no listener `management` for server\.admin_port"):
        plugins.listeners(config)


# What serves there.


def serving(install_plugin: InstallPlugin, *, start: str = "pass", stop: str = "pass") -> Lifespan:
    """What is to serve for half a second after it was told to stop, at most."""
    body = f"    {start}\n    yield\n    {stop}\n"
    install_plugin("tfaas-a", LISTENER.replace("    yield\n", body))
    (owned,) = installed().listeners(load_config(None, (), {}))
    with socket.socket() as sock:
        return owned.serving("a host", sock, timeout_s=0.5)


HANGS = ["await asyncio.Event().wait()", "import time; time.sleep(3600)"]


class TestServing:
    loop_factory = uvloop.new_event_loop

    @in_event_loop
    async def test_one_that_raises_when_it_starts_is_named(
        self, install_plugin: InstallPlugin
    ) -> None:
        with pytest.raises(PluginError) as caught:
            async with serving(install_plugin, start="raise OSError('no socket')"):
                pass
        assert caught.value.message == (
            f"{A} failed in starting the listener `echo`: OSError: no socket; fix it, or list it "
            "in [plugins] disabled"
        )

    @pytest.mark.parametrize("hang", HANGS)
    @in_event_loop
    async def test_one_that_never_starts_is_named(
        self, install_plugin: InstallPlugin, monkeypatch: pytest.MonkeyPatch, hang: str
    ) -> None:
        monkeypatch.setattr(calls, "CALL_LIMIT_S", 0.2)
        with pytest.raises(PluginError, match="does not return from starting the listener `echo`"):
            async with serving(install_plugin, start=hang):
                pass

    @pytest.mark.parametrize("hang", HANGS)
    @in_event_loop
    async def test_one_that_never_stops_is_given_up_and_logged(
        self,
        install_plugin: InstallPlugin,
        monkeypatch: pytest.MonkeyPatch,
        caplog: Log,
        hang: str,
    ) -> None:
        monkeypatch.setattr(lifespan, "LEAVE_LIMIT_S", 0.2)
        async with serving(install_plugin, stop=hang):
            pass
        expected = f"{A} does not return from stopping the listener `echo` within 0.7 s"
        assert [expected in record.message for record in caplog.records] == [True]

    @in_event_loop
    async def test_of_several_that_stop_at_once_the_one_that_blocks_is_named(
        self, install_plugin: InstallPlugin, monkeypatch: pytest.MonkeyPatch, caplog: Log
    ) -> None:
        monkeypatch.setattr(lifespan, "LEAVE_LIMIT_S", 0.2)
        slow = "await asyncio.sleep(0.1)\n    import time; time.sleep(3600)"
        served = [serving(install_plugin, stop=slow)]
        install_plugin("tfaas-b", listener(name="'other'"))
        (_, owned) = installed().listeners(load_config(None, (), {}))
        with socket.socket() as sock:
            served.insert(0, owned.serving("a host", sock, timeout_s=0.5))
        for each in served:
            await each.__aenter__()
        await asyncio.gather(*(each.__aexit__() for each in served))
        assert [A in record.message for record in caplog.records] == [True]

    @in_event_loop
    async def test_one_that_stops_by_itself_is_logged(
        self, install_plugin: InstallPlugin, caplog: Log
    ) -> None:
        group = (
            "    async with asyncio.TaskGroup() as tasks:\n"
            "        tasks.create_task(asyncio.wait_for(asyncio.Event().wait(), 0.01))\n    "
        )
        install_plugin("tfaas-a", LISTENER.replace("    yield\n", f"{group}    yield\n"))
        (owned,) = installed().listeners(load_config(None, (), {}))
        with socket.socket() as sock:
            async with owned.serving("a host", sock, timeout_s=0.5):
                await eventually(lambda: bool(caplog.records), "it is logged")
        (record,) = caplog.records
        assert record.message.startswith(f"{A} has stopped the listener `echo` by itself")
