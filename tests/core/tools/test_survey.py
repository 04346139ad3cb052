from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tfaas_core.config import Config, load_config
from tfaas_core.plugins import BUILTIN_PLUGINS
from tfaas_core.system.network.address import Address
from tfaas_core.tools.survey import SurveyedPlugin, findings, survey

InstallPlugin = Callable[..., Path]

ROUTE = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Response, Route

async def answer(request):
    return Response(b"hello")

@hookimpl
def tfaas_register_routes(host):
    return [Route("/hello", ("GET",), answer)]
"""

LIFESPAN = """
from contextlib import asynccontextmanager
from tfaas_core.hookspecs import hookimpl

@hookimpl
@asynccontextmanager
async def tfaas_lifespan(host):
    raise AssertionError("it has begun")
    yield
"""

WATCHING = """
from tfaas_core.guard import Guard
from tfaas_core.hookspecs import hookimpl
from tfaas_core.observer import Observer

class Own(Guard):
    async def admit(self, asking):
        return ""

class Count(Observer):
    pass

@hookimpl
def tfaas_register_guards(host):
    return [Own()]

@hookimpl
def tfaas_register_observers(host):
    return [Count(), Count()]
"""

SETTINGS = """
from msgspec import Struct
from tfaas_core.hookspecs import hookimpl

class Limits(Struct):
    rate: int = 1
    burst: int = 2

@hookimpl
def tfaas_config_sections():
    return {"limits": Limits}
"""

RUNTIME = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.runtime import Runtime

class Own(Runtime):
    preload = ("MODULE",)

    def examine(self, options): return []
    def claim(self, artifact, file_name): ...
    def load(self, artifact, params, options): ...

@hookimpl
def tfaas_register_runtimes():
    return {"gpu": Own()}
"""

TENSORFLOW = ["tfaas_backends.runtimes.graph", "tfaas_backends.runtimes.saved_model"]

ENGINE = """
from tfaas_core.engine.base import EngineFactory
from tfaas_core.hookspecs import hookimpl

class Rockets(EngineFactory):
    def supervisor(self, context):
        return None

    def engine(self, context):
        raise ValueError("no rockets")

@hookimpl
def tfaas_register_engines():
    return {"rockets": Rockets()}
"""

BROKEN = {
    "ImportError: no GPU here": "raise ImportError('no GPU here')",
    "ValueError: no such host": ROUTE.replace("return [", "raise ValueError('no such host')\n#"),
    "claims the route `GET /models`, which the built-in plugin": ROUTE.replace("/hello", "/models"),
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def configured(*overrides: str) -> Config:
    return load_config(None, overrides, {})


def surveyed(*overrides: str) -> dict[str, SurveyedPlugin]:
    return {plugin.module: plugin for plugin in survey(configured(*overrides))}


def errors(*overrides: str) -> list[str]:
    return findings(configured(*overrides)).errors


def test_every_builtin_plugin_registers_something() -> None:
    plugins = surveyed("server.admin_port=0")
    assert list(plugins) == list(BUILTIN_PLUGINS)
    assert {plugin.status for plugin in plugins.values()} == {"active"}
    assert all(plugin.registers for plugin in plugins.values())
    assert plugins["tfaas_plugins.management"].registers == ["listener management"]


@pytest.mark.parametrize("reason", BROKEN)
def test_a_broken_plugin_is_shown_and_the_others_work(
    install_plugin: InstallPlugin, reason: str
) -> None:
    install_plugin("tfaas-broken", BROKEN[reason], version="2.1")
    install_plugin("tfaas-hello", ROUTE)
    plugins = surveyed()
    broken = plugins["tfaas_broken"]
    assert (broken.distribution, broken.version) == ("tfaas-broken", "2.1")
    assert (broken.status, broken.registers) == ("broken", [])
    assert reason in broken.reason
    hello = plugins["tfaas_hello"]
    assert (hello.status, hello.registers, hello.reason) == ("active", ["route GET /hello"], "")
    assert "route GET /models" in plugins["tfaas_plugins.routes.models"].registers


def test_what_goes_on_beside_serving_is_listed_and_not_begun(
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("tfaas-watch", LIFESPAN)
    watch = surveyed()["tfaas_watch"]
    assert (watch.status, watch.registers) == ("active", ["lifespan tfaas_watch"])
    install_plugin("tfaas-wrong", LIFESPAN.replace("@asynccontextmanager\n", ""))
    assert "expected an async context manager" in surveyed()["tfaas_wrong"].reason


def test_a_disabled_plugin_is_not_a_broken_one(install_plugin: InstallPlugin) -> None:
    install_plugin("tfaas-off", "raise ImportError")
    off = surveyed("plugins.disabled=['tfaas-off']")["tfaas_off"]
    assert (off.status, off.registers) == ("disabled", [])
    assert off.reason == "[plugins] disabled lists tfaas-off"


def test_guards_and_observers_are_listed_and_exclude_nobody(install_plugin: InstallPlugin) -> None:
    for name in ("tfaas-a", "tfaas-b"):
        install_plugin(name, WATCHING)
    plugins = surveyed()
    for module in ("tfaas_a", "tfaas_b"):
        assert plugins[module].registers == ["guard Own", "observer Count", "observer Count"]
        assert plugins[module].status == "active"


def test_settings_are_listed_with_their_tables(install_plugin: InstallPlugin) -> None:
    install_plugin("tfaas-limits", SETTINGS)
    plugins = surveyed()
    assert plugins["tfaas_limits"].settings == ["plugins.limits.rate", "plugins.limits.burst"]
    assert plugins["tfaas_limits"].registers == ["section limits"]
    assert plugins["tfaas_backends.storages.filesystem"].settings == ["storage.root"]
    assert plugins["tfaas_plugins.routes.models"].settings == []


def test_plugins_are_listed_where_the_configuration_is_wrong(
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("tfaas-broken", "raise ImportError")
    plugins = surveyed("storage.kind=sq")
    assert plugins["tfaas_broken"].status == "broken"
    assert plugins["tfaas_backends.storages.filesystem"].registers == ["storage filesystem"]


def test_nothing_is_found_wrong_with_the_defaults() -> None:
    found = findings(configured())
    assert (found.errors, found.warnings) == ([], [])


def test_the_port_of_a_listener_that_somebody_has_is_told_of() -> None:
    with Address.of("127.0.0.1", 0).bound() as listener:
        listener.listen()
        port = listener.getsockname()[1]
        found = findings(configured("server.admin_host=127.0.0.1", f"server.admin_port={port}"))
    (taken,) = found.warnings
    assert taken.startswith("plugin tfaas_plugins.management ")
    assert f"cannot listen on 127.0.0.1:{port} for its listener `management`" in taken


def test_what_is_made_anew_each_time_it_is_asked_for_is_reported_once(
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("tfaas-a", ENGINE.replace("Rockets()}", "lambda context: None}"))
    (error,) = errors(f"plugins.disabled={TENSORFLOW}")
    assert "returned {'rockets': <function " in error


def test_a_runtime_that_cannot_begin_is_named(install_plugin: InstallPlugin, site: Path) -> None:
    install_plugin("tfaas-gpu", RUNTIME.replace("MODULE", "no_such_library").replace("[]", "1 / 0"))
    install_plugin("tfaas-odd", RUNTIME.replace("gpu", "odd").replace("MODULE", "tfaas_odd_lib"))
    (site / "tfaas_odd_lib.py").write_text("raise SystemExit(3)")
    gpu, odd, examining = errors(f"plugins.disabled={TENSORFLOW}")
    assert gpu == (
        "plugin tfaas_gpu (tfaas-gpu 1.0) registers the runtime `gpu`, whose models cannot be "
        "started: importing 'no_such_library' raises ModuleNotFoundError: No module named "
        "'no_such_library'; fix it, or list it in [plugins] disabled"
    )
    assert "tfaas_odd (tfaas-odd 1.0)" in odd
    assert "importing 'tfaas_odd_lib' raises SystemExit: 3" in odd
    assert "tfaas_gpu (tfaas-gpu 1.0) failed in examining the runtime `gpu`: Zero" in examining


def test_the_engine_is_made_and_closed(install_plugin: InstallPlugin) -> None:
    install_plugin("tfaas-engine", ENGINE)
    (engine,) = errors("engine.kind=rockets")
    assert "in making the engine `rockets`: ValueError: no rockets" in engine
    assert "plugin tfaas_engine (tfaas-engine 1.0)" in engine


WRONG = {
    "server.host=no.such.host.invalid": "cannot listen on no.such.host.invalid:8083 (server.host",
    "server.host=192.0.2.1": "cannot listen on 192.0.2.1:8083 (server.host",
    f"server.host={'x' * 70}": "label too long",
    "storage.root=/dev/null": "'/dev/null' is a file; name a folder - at `$.storage.root`",
    "storage.root=/dev/null/models": "cannot be used: Not a directory - at `$.storage.root`",
    'storage.root="a\\u0000b"': "cannot be used: embedded null byte - at `$.storage.root`",
}


@pytest.mark.parametrize("override", WRONG)
def test_what_only_a_server_would_stumble_over_is_found(override: str) -> None:
    (found,) = errors(override, "engine.isolation=inline", "server.open=true")
    assert WRONG[override] in found


TOKEN = "plugins.token_guard.tokens.a=0123456789abcdef"


@pytest.mark.parametrize("override", ["server.host=0.0.0.0", "server.host='::'"])
def test_others_reach_a_server_only_if_a_guard_or_somebody_says_so(override: str) -> None:
    (found,) = errors(override, "engine.isolation=inline")
    assert "others can reach the server, and no guard asks who they are" in found
    assert found.endswith("`$.server.open`")
    for allowed in (TOKEN, "server.open=true"):
        assert errors(override, allowed, "engine.isolation=inline") == []


def test_a_port_for_management_that_others_reach_takes_a_guard_too() -> None:
    overrides = ("server.admin_port=0", "server.admin_host=0.0.0.0", "engine.isolation=inline")
    (found,) = errors(*overrides)
    assert found.startswith("on 0.0.0.0, others can reach the server")
    assert errors(*overrides, TOKEN) == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.9", "::1"])
def test_this_machine_needs_no_guard(host: str) -> None:
    assert errors(f"server.host='{host}'", "engine.isolation=inline") == []


def test_the_folder_of_a_cache_is_looked_at_too() -> None:
    overrides = ("storage.kind=sql", "storage.cache=/dev/null/x", "engine.isolation=inline")
    (found,) = errors(*overrides)
    assert "/dev/null/x' cannot be used: Not a directory - at `$.storage.cache`" in found


def test_everything_that_is_wrong_is_found_at_once(install_plugin: InstallPlugin) -> None:
    install_plugin("tfaas-a", "raise ImportError('no GPU here')")
    install_plugin("tfaas-b", "x = 1")
    kinds = ("storage.kind=sq", "engine.kind=gpu", "engine.isolation=inline")
    found = errors(*kinds, "plugins.disabled=['csv']")
    assert "no GPU here" in found[0]
    assert "implements no hook" in found[1]
    assert found[2:] == [
        "no plugin is called `csv` - at `$.plugins.disabled`",
        "unknown storage 'sq'; there are: filesystem, sql - at `$.storage.kind`",
        "unknown engine 'gpu'; there are: local, ray, remote - at `$.engine.kind`",
    ]
