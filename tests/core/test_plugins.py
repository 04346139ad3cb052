from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tfaas_core import __version__
from tfaas_core.config import Config, load_config
from tfaas_core.errors import ConfigError, PluginError
from tfaas_core.host import Host
from tfaas_core.plugins import BUILTIN_PLUGINS, Plugins, choose, load_plugins

InstallPlugin = Callable[..., Path]

CODEC = """
from tfaas_core.codec import Codec
from tfaas_core.hookspecs import hookimpl

class Csv(Codec):
    name = "csv"
    media_types = ("text/csv", "*/*")

    def parse(self, body, head): ...
    def bind(self, document, version): ...
    def encode(self, outputs, bound, document, version): ...

@hookimpl
def tfaas_register_codecs():
    return [Csv()]
"""

STORAGE = """
from tfaas_core.hookspecs import hookimpl

@hookimpl
def tfaas_register_storages():
    return {"tape": lambda table, base_dir: None}
"""

ROUTE = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Response, Route

async def hello(request):
    return Response(b"hello")

@hookimpl
def tfaas_register_routes(host):
    yield Route("/hello/{name}", ("GET", "PUT"), hello)
"""


def hook(name: str, body: str) -> str:
    return f"from tfaas_core.hookspecs import hookimpl\n@hookimpl\ndef {name}():\n    {body}\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "tfaas.toml"
    file.touch()
    return load_config(file, environ={})


def installed(*disabled: str) -> Plugins:
    """Only what a test installs."""
    return load_plugins([*BUILTIN_PLUGINS, *disabled])


def with_disabled(config: Config, *names: str) -> Config:
    listed = ", ".join(f"'{name}'" for name in names)
    return load_config(config.base_dir / "tfaas.toml", [f"plugins.disabled=[{listed}]"], {})


def ask_everything(plugins: Plugins, config: Config) -> None:
    plugins.codecs(config)
    plugins.storages()
    plugins.runtimes()
    plugins.engines()
    plugins.routes(Host(config))


def test_the_builtin_plugins_serve_by_themselves(config: Config) -> None:
    plugins = load_plugins()
    assert list(plugins.codecs(config)) == ["json", "proto", "image", "msgpack"]
    assert list(plugins.storages()) == ["filesystem", "sql"]
    assert list(plugins.engines()) == ["local"]
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
    assert [route.path for route in plugins.routes(Host(config))] == ["/hello/{name}"]
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


BROKEN = {
    "cannot be imported: ImportError: no GPU here": "raise ImportError('no GPU here')",
    "cannot be imported: SystemExit: 3": "raise SystemExit(3)",
    "cannot be imported: SyntaxError": "def",
    "implements no hook": "x = 1",
    "unknown hook 'tfaas_register_codec'": hook("tfaas_register_codec", "return []"),
    "Argument(s) {'colour'} are declared": CODEC.replace("codecs()", "codecs(colour)"),
    "failed in tfaas_register_codecs: KeyError: 'x'": hook("tfaas_register_codecs", "{}['x']"),
    "failed in tfaas_register_routes: ValueError: late": ROUTE + "    raise ValueError('late')",
    "returned None in tfaas_register_codecs, not an iterable of Codec": hook(
        "tfaas_register_codecs", "pass"
    ),
    "returned 'csv' in tfaas_register_codecs, not an iterable": hook(
        "tfaas_register_codecs", "return 'csv'"
    ),
    "returned 'csv' in tfaas_register_codecs, not a Codec": hook(
        "tfaas_register_codecs", "return ['csv']"
    ),
    "not a Codec with a name of": CODEC.replace('"csv"', '"CSV/1"'),
    "not a Codec with a tuple of media types": CODEC.replace('("text/csv", "*/*")', '"text/csv"'),
    "returned ['tape'] in tfaas_register_storages, not a mapping": hook(
        "tfaas_register_storages", "return ['tape']"
    ),
    "returned {'tape': 1} in tfaas_register_storages, not str: callable": hook(
        "tfaas_register_storages", "return {'tape': 1}"
    ),
    "returned {'x': 1} in tfaas_register_runtimes, not str: Runtime": hook(
        "tfaas_register_runtimes", "return {'x': 1}"
    ),
    "returned {'x': 1} in tfaas_register_engines, not str: EngineFactory": hook(
        "tfaas_register_engines", "return {'x': 1}"
    ),
    "the route `hello/{name}`, but the path has to start with /": ROUTE.replace('"/h', '"h'),
    "`/hello/{name}/{name}`, but the path has the field {name} twice": ROUTE.replace(
        "{name}", "{name}/{name}"
    ),
    "the methods have to be a tuple like ('GET',)": ROUTE.replace('("GET", "PUT")', '"GET"'),
    "the methods have to be in upper case": ROUTE.replace('"PUT"', '"put"'),
    "a method is there twice": ROUTE.replace('"PUT"', '"GET"'),
    "it is express, which is for POST alone": ROUTE.replace("hello)", "hello, express=True)"),
    "cannot both be express": ROUTE.replace('"PUT"', '"POST"').replace(
        "hello)", "hello, express=True, streams=True)"
    ),
    "has to be a function of `async def`, not None": ROUTE.replace("hello)", "None)"),
    "has to be a function of `async def`, not <function hello": ROUTE.replace("async ", ""),
    "registers the codec `csv` twice": CODEC.replace("[Csv()]", "[Csv(), Csv()]"),
}


@pytest.mark.parametrize("expected", BROKEN)
def test_a_broken_plugin_is_an_error_that_names_it_with_version_and_reason(
    install_plugin: InstallPlugin, config: Config, expected: str
) -> None:
    install_plugin("tfaas-broken", BROKEN[expected], version="2.1")
    with pytest.raises(PluginError) as caught:
        ask_everything(installed(), with_disabled(config, "tfaas-broken"))
    assert "tfaas_broken (tfaas-broken 2.1)" in caught.value.message
    assert expected in caught.value.message
    assert caught.value.details == {"plugin": "tfaas_broken"}


CLAIMS = {
    "codec `csv`": (CODEC, CODEC.replace("text/csv", "text/x")),
    "media type `text/csv`": (CODEC, CODEC.replace('"csv"', '"other"')),
    "storage `tape`": (STORAGE, STORAGE),
    "route `PUT /hello/{who}`": (
        ROUTE,
        ROUTE.replace("{name}", "{who}").replace('"GET", "PUT"', '"PUT",'),
    ),
    "route `POST /models/{model}/predict/csv`": (
        CODEC,
        ROUTE.replace("/hello/{name}", "/models/{model}/predict/csv").replace(
            '"GET", "PUT"', '"POST",'
        ),
    ),
    "route `POST /csv`": (
        CODEC,
        ROUTE.replace("/hello/{name}", "/csv").replace('"GET", "PUT"', '"POST",'),
    ),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_two_plugins_that_claim_the_same_are_an_error_that_names_both(
    install_plugin: InstallPlugin, config: Config, claim: str
) -> None:
    first, second = CLAIMS[claim]
    install_plugin("tfaas-a", first)
    install_plugin("tfaas-b", second)
    with pytest.raises(PluginError) as caught:
        ask_everything(installed(), with_disabled(config, "tfaas-a", "tfaas-b"))
    both = "plugins tfaas_a (tfaas-a 1.0) and tfaas_b (tfaas-b 1.0) both claim the "
    assert caught.value.message.startswith(both + claim)
    ask_everything(installed("tfaas-b"), with_disabled(config, "tfaas-a", "tfaas-b"))


def test_two_codecs_may_both_read_any_media_type(
    install_plugin: InstallPlugin, config: Config
) -> None:
    install_plugin("tfaas-a", CODEC)
    install_plugin("tfaas-b", CODEC.replace("csv", "tsv"))
    assert list(installed().codecs(config)) == ["csv", "tsv"]


def test_a_kind_that_nothing_registered_is_an_error_that_lists_those_there_are() -> None:
    assert choose("storage", "b", {"b": 1}) == 1
    message = "unknown storage 'sq'; there are: filesystem, sql - at `$.storage.kind`"
    with pytest.raises(ConfigError, match=re.escape(message)):
        choose("storage", "sq", {"sql": 1, "filesystem": 2})
