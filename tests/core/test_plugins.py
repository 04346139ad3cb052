from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tfaas_core import __version__
from tfaas_core.composition import Composition
from tfaas_core.config import Config, EngineTable, StorageTable, load_config
from tfaas_core.engine.base import EngineFactory, WorkerContext
from tfaas_core.errors import ConfigError, PluginError
from tfaas_core.host import Host
from tfaas_core.plugins import BUILTIN_PLUGINS, Plugins, calls, choose, load_plugins

InstallPlugin = Callable[..., Path]

CODEC = """
from tfaas_core.codec import Codec
from tfaas_core.hookspecs import hookimpl

class Csv(Codec):
    name = "csv"
    media_types = ("text/csv", "*/*")

    def parse(self, body, content_type): ...
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


def at_rest(config: Config) -> Host:
    return Host.at_rest(Composition.of(config))


def ask_everything(plugins: Plugins, config: Config) -> None:
    plugins.codecs(config)
    plugins.storages()
    plugins.runtimes()
    plugins.engines()
    plugins.routes(at_rest(config))


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


RUNTIME = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.runtime import Runtime

class Tape(Runtime):
    preload = ("json",)

    def recognises(self, artifact): ...
    def load(self, artifact, params, threads): ...

@hookimpl
def tfaas_register_runtimes():
    return {"tape": Tape()}
"""

ENGINE = """
from tfaas_core.engine.base import EngineFactory
from tfaas_core.hookspecs import hookimpl

class Tape(EngineFactory):
    def supervisor(self, context):
        return None

    def engine(self, context): ...

@hookimpl
def tfaas_register_engines():
    return {"tape": Tape()}
"""


def route(**changed: str) -> str:
    """The plugin with a route, of which some arguments are others."""
    arguments = {"path": '"/hello"', "methods": '("POST",)', "handler": "hello"} | changed
    listed = ", ".join(f"{name}={value}" for name, value in arguments.items())
    return ROUTE.replace('Route("/hello/{name}", ("GET", "PUT"), hello)', f"Route({listed})")


BROKEN = {
    "cannot be imported: ImportError: no GPU here": "raise ImportError('no GPU here')",
    "cannot be imported: SystemExit: 3": "raise SystemExit(3)",
    "cannot be imported: Odd": "class Odd(BaseException): ...\nraise Odd",
    "cannot be imported: SyntaxError": "def",
    "implements no hook": "x = 1",
    "unknown hook 'tfaas_register_codec'": hook("tfaas_register_codec", "return []"),
    "Argument(s) {'colour'} are declared": CODEC.replace("codecs()", "codecs(colour)"),
    "has tfaas_register_codecs as `async def`": CODEC.replace("def tfaas", "async def tfaas"),
    "failed in tfaas_register_codecs: KeyError: 'x'": hook("tfaas_register_codecs", "{}['x']"),
    "failed in tfaas_register_codecs: SystemExit: 3": hook(
        "tfaas_register_codecs", "raise SystemExit(3)"
    ),
    "failed in tfaas_register_routes: ValueError: late": ROUTE + "    raise ValueError('late')",
    "failed in tfaas_register_routes: ValueError: it returns more than": ROUTE.replace(
        "    yield", "    while True: yield"
    ),
    "returned None from tfaas_register_codecs, expected an iterable of Codec": hook(
        "tfaas_register_codecs", "pass"
    ),
    "returned 'csv' from tfaas_register_codecs, expected an iterable": hook(
        "tfaas_register_codecs", "return 'csv'"
    ),
    "returned 'csv' from tfaas_register_codecs, expected a Codec": hook(
        "tfaas_register_codecs", "return ['csv']"
    ),
    "returned <class 'tfaas_broken.Csv'> from tfaas": CODEC.replace("[Csv()]", "[Csv]"),
    "with the name 'CSV/1', expected lower-case letters": CODEC.replace('"csv"', '"CSV/1"'),
    "with the name ['csv'], expected": CODEC.replace('"csv"', '["csv"]'),
    "with the name None, expected": CODEC.replace('name = "csv"', ""),
    "failed in tfaas_register_codecs: ValueError: no name": CODEC.replace(
        'name = "csv"', "@property\n    def name(self): raise ValueError('no name')"
    ),
    "with the media types 'text/csv', expected a tuple": CODEC.replace(
        '("text/csv", "*/*")', '"text/csv"'
    ),
    "with the media types (), expected a tuple": CODEC.replace('("text/csv", "*/*")', "()"),
    "with the media type 1, expected": CODEC.replace('"text/csv"', "1"),
    "with the media type 'Text/CSV', expected": CODEC.replace("text/csv", "Text/CSV"),
    "with the media type 'text/csv\\r\\nX: y', expected": CODEC.replace(
        "text/csv", "text/csv\\r\\nX: y"
    ),
    "with the media type 'text/csv; a=b', expected": CODEC.replace("text/csv", "text/csv; a=b"),
    "with the media type 'text/*', expected": CODEC.replace("text/csv", "text/*"),
    "with the media type 'csv', expected": CODEC.replace("text/csv", "csv"),
    "returned ['tape'] from tfaas_register_storages, expected a mapping": hook(
        "tfaas_register_storages", "return ['tape']"
    ),
    "returned {'tape': 1} from tfaas_register_storages, expected a mapping of names to callable": (
        hook("tfaas_register_storages", "return {'tape': 1}")
    ),
    "returned the name 1 from tfaas_register_storages": STORAGE.replace('"tape"', "1"),
    "returned the name 'a\\n' from tfaas_register_storages": STORAGE.replace("tape", "a\\n"),
    "returned the name '' from tfaas_register_storages": STORAGE.replace("tape", ""),
    "returned {'x': 1} from tfaas_register_runtimes, expected a mapping of names to Runtime": hook(
        "tfaas_register_runtimes", "return {'x': 1}"
    ),
    "returned {'x': 1} from tfaas_register_engines, expected a mapping of names to EngineFactory": (
        hook("tfaas_register_engines", "return {'x': 1}")
    ),
    "with the preload 'json', expected a tuple": RUNTIME.replace('("json",)', '"json"'),
    "with the preload None, expected a tuple": RUNTIME.replace('preload = ("json",)', ""),
    "with the preload ('a b',), expected a tuple": RUNTIME.replace("json", "a b"),
    "registers the runtime `tape`, which cannot be pickled": RUNTIME.replace(
        'preload = ("json",)', 'preload = ("json",)\n    def __init__(self): self.f = lambda: 1'
    ),
    "registers the route 'hello', expected a path that starts with /": route(path='"hello"'),
    "registers the route None, expected a path": route(path="None"),
    "registers the route '/a b', whose part 'a b'": route(path='"/a b"'),
    "registers the route '/a?b', whose part 'a?b'": route(path='"/a?b"'),
    "registers the route '/{', whose part '{'": route(path='"/{"'),
    "registers the route '/{}', whose part '{}'": route(path='"/{}"'),
    "registers the route '/{a}{b}', whose part '{a}{b}'": route(path='"/{a}{b}"'),
    "registers the route '/{a}/{a}', which has the field {a} twice": route(path='"/{a}/{a}"'),
    "registers the route '//a', which has // in it": route(path='"//a"'),
    "for the methods 'POST', expected a tuple": route(methods='"POST"'),
    "for the methods (), expected a tuple": route(methods="()"),
    "for the method 'post', expected one of GET": route(methods='("post",)'),
    "for the method 'BREW', expected one of GET": route(methods='("BREW",)'),
    "for the method ['POST'], expected one of GET": route(methods='(["POST"],)'),
    "its handler is None, expected an `async def` function": route(handler="None"),
    "its handler yields": ROUTE.replace('return Response(b"hello")', 'yield Response(b"hello")'),
    "its handler is not async": ROUTE.replace("async def", "def"),
    "its handler cannot be called with one argument": ROUTE.replace("hello(request)", "hello()"),
    "'/hello/{n}' as express, which is for POST to a path": route(
        path='"/hello/{n}"', express="True"
    ),
    "'/hello' as express, which is for POST": route(methods='("GET",)', express="True"),
    "whose body is not streamed": route(streams="True", express="True"),
    "registers the codec `csv` twice": CODEC.replace("[Csv()]", "[Csv(), Csv()]"),
    "registers the route `GET /hello/{n}` twice": ROUTE
    + '    yield Route("/hello/{n}", ("GET",), hello)',
    "registers the route `GET /hello/{name}/` twice": ROUTE
    + '    yield Route("/hello/{name}/", ("GET",), hello)',
    "registers the route `HEAD /hello/{name}` twice": ROUTE
    + '    yield Route("/hello/{name}", ("HEAD",), hello)',
}
"""What is said of a plugin, and the plugin."""


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


def test_a_plugin_that_does_not_come_back_is_an_error_that_names_it(
    install_plugin: InstallPlugin, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "CALL_LIMIT_S", 0.2)
    monkeypatch.setattr(calls, "IMPORT_LIMIT_S", 0.3)
    hang = "import threading; threading.Event().wait()"
    install_plugin("tfaas-slow", hook("tfaas_register_codecs", hang))
    with pytest.raises(PluginError, match="does not return from tfaas_register_codecs"):
        installed().codecs(config)
    install_plugin("tfaas-slower", hang)
    with pytest.raises(PluginError, match=r"tfaas_slower .* cannot be imported within 0\.3 s"):
        installed("tfaas-slow")


@pytest.mark.parametrize(
    "option", ["tryfirst", "trylast", "wrapper", "hookwrapper", "optionalhook"]
)
def test_options_of_pluggy_are_refused(install_plugin: InstallPlugin, option: str) -> None:
    install_plugin("tfaas-csv", CODEC.replace("@hookimpl", f"@hookimpl({option}=True)"))
    expected = f"marks tfaas_register_codecs with `{option}`, which has no meaning here"
    with pytest.raises(PluginError, match=re.escape(expected)):
        installed()


HANDLERS = {
    "a partial": "functools.partial(hello)",
    "a plain function that returns a coroutine": "lambda request: hello(request)",
    "a method": "Hello().hello",
    "an object that can be called": "Hello()",
    "a decorated function": "functools.wraps(hello)(lambda *a: hello(*a))",
}


@pytest.mark.parametrize("what", HANDLERS)
def test_a_handler_is_whatever_can_be_waited_for(
    install_plugin: InstallPlugin, config: Config, what: str
) -> None:
    hello = """
import functools

class Hello:
    async def hello(self, request): return Response(b"hello")
    __call__ = hello
"""
    source = route(handler=HANDLERS[what])
    install_plugin("tfaas-hello", source.replace("@hookimpl", hello + "\n@hookimpl"))
    assert len(installed().routes(at_rest(config))) == 1


def test_everything_that_is_wrong_is_reported(
    install_plugin: InstallPlugin, config: Config
) -> None:
    install_plugin("tfaas-a", "raise ImportError")
    install_plugin("tfaas-b", CODEC.replace("text/csv", "CSV").replace("*/*", "text"))
    install_plugin("tfaas-c", CODEC + hook("tfaas_register_engines", "return 1"))
    errors: list[PluginError] = []
    plugins = load_plugins(BUILTIN_PLUGINS, errors.append)
    assert list(plugins.codecs(config)) == ["csv"]
    assert plugins.engines() == {}
    assert [error.details["plugin"][-1] for error in errors] == ["a", "b", "b", "c"]


def make_storage(config: Config, kind: str) -> None:
    storage = StorageTable(kind=kind)
    installed().storage(msgspec.structs.replace(config, storage=storage))


def make_engine(config: Config, kind: str) -> EngineFactory:
    engine = EngineTable(kind=kind)
    return installed().engine(msgspec.structs.replace(config, engine=engine))


def test_a_storage_is_what_its_factory_makes(install_plugin: InstallPlugin, config: Config) -> None:
    install_plugin("tfaas-a", STORAGE)
    install_plugin("tfaas-b", STORAGE.replace("tape", "disk").replace("None", "1 / 0"))
    text = "tfaas_a .* returned None in making the storage `tape`, expected a Storage"
    with pytest.raises(PluginError, match=text):
        make_storage(config, "tape")
    text = "tfaas_b .* failed in making the storage `disk`: ZeroDivisionError"
    with pytest.raises(PluginError, match=text):
        make_storage(config, "disk")
    with pytest.raises(ConfigError, match="unknown storage 'cd'; there are: disk, tape"):
        make_storage(config, "cd")


def test_an_engine_is_what_its_factory_makes(install_plugin: InstallPlugin, config: Config) -> None:
    install_plugin("tfaas-a", ENGINE)
    context = WorkerContext(config, {}, 1, 0, None, lambda _version: Path())
    factory = make_engine(config, "tape")
    assert factory.supervisor(context) is None
    text = "tfaas_a .* returned None in making the engine `tape`, expected an Engine"
    with pytest.raises(PluginError, match=text):
        factory.engine(context)
    install_plugin("tfaas-b", ENGINE.replace("tape", "gpu").replace("return None", "1 / 0"))
    with pytest.raises(PluginError, match=r"tfaas_b .* the supervisor .*: ZeroDivisionError"):
        make_engine(config, "gpu").supervisor(context)


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


COLLISIONS = {
    "claims the route `POST /upload` for its codec `upload`, which the built-in plugin "
    "tfaas_plugins.routes.models has": CODEC.replace("csv", "upload"),
    "claims the codec `json`, which the built-in plugin tfaas_plugins.codecs.json has": (
        CODEC.replace('"csv"', '"json"')
    ),
    "claims the media type `image/png` for its codec `csv`, which the built-in plugin": (
        CODEC.replace("text/csv", "image/png")
    ),
    "claims the route `POST /models/{m}/predict/json`, which the built-in plugin "
    "tfaas_plugins.codecs.json has for its codec `json`": route(path='"/models/{m}/predict/json"'),
}


@pytest.mark.parametrize("claim", COLLISIONS)
def test_who_claims_what_is_built_in_is_to_blame(
    install_plugin: InstallPlugin, config: Config, claim: str
) -> None:
    install_plugin("tfaas-own", COLLISIONS[claim])
    with pytest.raises(PluginError) as caught:
        at_rest(config).routes()
    assert caught.value.message.startswith(f"plugin tfaas_own (tfaas-own 1.0) {claim}")
    assert "list one of the two plugins in [plugins] disabled" in caught.value.message
    assert caught.value.details == {"plugin": "tfaas_own"}


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
