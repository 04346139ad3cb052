from __future__ import annotations

import re

import pytest

from tests.core.plugins.sources import (
    CODEC,
    ROUTE,
    STORAGE,
    InstallPlugin,
    at_rest,
    hook,
    installed,
)
from tfaas_core import __version__
from tfaas_core.config import Config
from tfaas_core.errors import ConfigError, StartupError
from tfaas_core.plugins import BUILTIN_PLUGINS, choose, load_plugins


def test_the_builtin_plugins_serve_by_themselves(config: Config) -> None:
    plugins = load_plugins()
    assert list(plugins.codecs(config)) == ["json", "proto", "image", "msgpack"]
    assert list(plugins.storages()) == ["filesystem", "sql"]
    assert list(plugins.engines()) == ["local", "remote", "ray"]
    assert plugins.runtimes()
    assert [plugin.module for plugin in plugins.found] == list(BUILTIN_PLUGINS)
    assert {(p.distribution, p.version) for p in plugins.found} == {("tfaas", __version__)}


def test_an_installed_plugin_registers_beside_the_builtin_ones(
    install_plugin: InstallPlugin, config: Config
) -> None:
    install_plugin("tfaas-csv", CODEC)
    plugins = load_plugins()
    assert list(plugins.codecs(config)) == ["json", "proto", "image", "msgpack", "csv"]
    assert plugins.owner("codec", "csv") == "tfaas_csv"
    assert plugins.owner("media type", "text/csv") == "tfaas_csv"
    for place in ("", "/models/{name}", "/models/{name}/versions/{version}"):
        assert plugins.owner("route", f"POST {place}/predict/csv") == "tfaas_csv"
    assert plugins.owner("codec", "json") == "tfaas_plugins.codecs.json"


def test_installed_plugins_come_in_the_order_of_their_entry_points(
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("tfaas-b", STORAGE)
    install_plugin("tfaas-a", CODEC)
    names = [plugin.module for plugin in installed().found]
    assert names == [*BUILTIN_PLUGINS, "tfaas_a", "tfaas_b"]


def test_a_route_may_be_of_several_methods(install_plugin: InstallPlugin, config: Config) -> None:
    install_plugin("tfaas-hello", ROUTE)
    plugins = installed()
    assert [route.path for route in plugins.routes(at_rest(config))] == ["/hello/{name}"]
    assert plugins.owner("route", "GET /hello/{name}") == "tfaas_hello"
    assert plugins.owner("route", "PUT /hello/{name}") == "tfaas_hello"
    with pytest.raises(KeyError):
        plugins.owner("route", "POST /hello/{name}")


def test_hooks_can_be_asked_again(install_plugin: InstallPlugin, config: Config) -> None:
    install_plugin("tfaas-csv", CODEC)
    plugins = installed()
    plugins.codecs(config)
    assert list(plugins.codecs(config)) == ["csv"]


@pytest.mark.parametrize("name", ["tfaas-csv", "TFaaS.csv", "tfaas_csv"])
def test_a_plugin_is_disabled_by_its_distribution_or_module(
    install_plugin: InstallPlugin, config: Config, name: str
) -> None:
    install_plugin("tfaas-csv", "raise RuntimeError('never imported')")
    plugins = installed(name)
    assert plugins.codecs(config) == {}
    assert plugins.found[-1].disabled


def test_a_builtin_plugin_is_disabled_by_its_module(config: Config) -> None:
    assert "json" not in load_plugins(["tfaas_plugins.codecs.json"]).codecs(config)


def test_a_kind_that_nothing_registered_is_an_error_that_lists_those_there_are() -> None:
    assert choose("storage", "b", {"b": 1}) == 1
    message = "unknown storage 'sq'; there are: filesystem, sql - at `$.storage.kind`"
    with pytest.raises(ConfigError, match=re.escape(message)):
        choose("storage", "sq", {"sql": 1, "filesystem": 2})


def test_everything_that_is_wrong_is_reported(
    install_plugin: InstallPlugin, config: Config
) -> None:
    install_plugin("tfaas-a", "raise ImportError")
    install_plugin("tfaas-b", CODEC.replace("text/csv", "CSV").replace("*/*", "text"))
    install_plugin("tfaas-c", CODEC + hook("tfaas_register_engines", "return 1"))
    errors: list[StartupError] = []
    plugins = load_plugins(BUILTIN_PLUGINS, errors.append)
    assert list(plugins.codecs(config)) == ["csv"]
    assert plugins.engines() == {}
    assert [error.details["plugin"][-1] for error in errors] == ["a", "b", "b", "c"]
