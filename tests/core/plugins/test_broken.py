from __future__ import annotations

import re
import signal

import pytest

from tests.core.plugins.sources import (
    CODEC,
    COMMAND,
    LIFESPAN,
    ROUTE,
    RUNTIME,
    STORAGE,
    InstallPlugin,
    ask_everything,
    at_rest,
    hook,
    installed,
    route,
    with_disabled,
)
from tfaas_core.config import Config
from tfaas_core.errors import PluginError


def answering(types: str) -> str:
    """A codec whose answers are of ``types``, as Python spells them."""
    return CODEC.replace('name = "csv"', f'name = "csv"\n    answer_types = {types}')


def said(arguments: str) -> str:
    """A route whose operation has these, as Python spells them."""
    return "from tfaas_core.operation import Operation" + route(operation=f"Operation({arguments})")


BROKEN = {
    "cannot be imported: ImportError: no GPU here": "raise ImportError('no GPU here')",
    "cannot be imported: SystemExit: 3": "raise SystemExit(3)",
    "cannot be imported: KeyboardInterrupt; fix": "raise KeyboardInterrupt",
    "cannot be imported: ValueError: two lines \\udc80; fix": (
        "raise ValueError('two\\nlines \\udc80')"
    ),
    "failed in tfaas_register_codecs: KeyboardInterrupt": hook(
        "tfaas_register_codecs", "raise KeyboardInterrupt"
    ),
    "cannot be imported: Odd": "class Odd(BaseException): ...\nraise Odd",
    "cannot be imported: SyntaxError": "def",
    "implements no hook": "x = 1",
    "implements `tfaas_register_codec`, which is no hook, unlike `tfaas_register_codecs`; fix": (
        hook("tfaas_register_codec", "return []")
    ),
    "implements `tfaas_xyz`, which is no hook; fix": hook("tfaas_xyz", "return []"),
    "takes `colour` in tfaas_register_codecs, which gives `config`": CODEC.replace(
        "codecs()", "codecs(colour)"
    ),
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
    "registers the codec `csv` with the answer types 'text/csv', expected a tuple": answering(
        '"text/csv"'
    ),
    "with the answer types 5, expected a tuple": answering("5"),
    "with the answer types None, expected a tuple": answering("None"),
    "with the answer types ['text/csv'], expected a tuple": answering("['text/csv']"),
    "registers the codec `csv` with the answer type 5, expected one in lower": answering(
        '("text/csv", 5)'
    ),
    "with the answer type None, expected": answering("(None, 5)"),
    "with the answer type 'Text/CSV', expected": answering('("Text/CSV",)'),
    "with the answer type '*/*', expected": answering('("*/*",)'),
    "with the answer type 'text/csv\\r\\nX: y', expected": answering('("text/csv\\r\\nX: y",)'),
    "codec `csv`, whose answers_others is 'yes', expected True or False": CODEC.replace(
        'name = "csv"', 'name = "csv"\n    answers_others = "yes"'
    ),
    "failed in tfaas_register_codecs: ValueError: no others": CODEC.replace(
        'name = "csv"',
        'name = "csv"\n    @property\n    def answers_others(self): raise ValueError("no others")',
    ),
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
    "with the preload None, expected a tuple": RUNTIME.replace('("json",)', "None"),
    "with the preload ('a b',), expected a tuple": RUNTIME.replace("json", "a b"),
    "with the suffixes '.tape', expected a tuple": RUNTIME.replace(
        "preload", "suffixes = '.tape'\n    preload"
    ),
    "with the suffixes ('',), expected a tuple": RUNTIME.replace(
        "preload", "suffixes = ('',)\n    preload"
    ),
    "with the nouns ('tape',), expected a pair": RUNTIME.replace(
        "preload", "nouns = ('tape',)\n    preload"
    ),
    "failed in tfaas_register_runtimes: TypeError: Can't instantiate abstract class Tape": (
        RUNTIME.replace("def claim(self, artifact, file_name)", "def recognises(self, artifact)")
    ),
    "registers the runtime `tape`, which cannot be pickled": RUNTIME.replace(
        'preload = ("json",)', 'preload = ("json",)\n    def __init__(self): self.f = lambda: 1'
    ),
    "registers the route 'hello', expected a path that starts with /": route(path='"hello"'),
    "registers the route None, expected a path": route(path="None"),
    "registers the route '/a b', whose part 'a b'": route(path='"/a b"'),
    "registers the route '/a?b', whose part 'a?b'": route(path='"/a?b"'),
    "registers the route '/{', whose part '{'": route(path='"/{"'),
    "registers the route '/{}', whose part '{}'": route(path='"/{}"'),
    "registers the route '/{a}{b}', whose part '{a}{b}' has two fields without text": route(
        path='"/{a}{b}"'
    ),
    "registers the route '/x{a...}', whose part 'x{a...}' has more than the field": route(
        path='"/x{a...}"'
    ),
    "registers the route '/{a...}/x', whose field {name...}": route(path='"/{a...}/x"'),
    "registers the route '/../x', whose part '..' clients do not send": route(path='"/../x"'),
    "registers the route '/é', whose part 'é'": route(path='"/é"'),
    "registers the route '/x#y', whose part 'x#y'": route(path='"/x#y"'),
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
    "'/hello' as express, which is for POST": route(methods='("GET",)', express="True"),
    "for bodies that are not streamed": route(streams="True", express="True"),
    "which has bind as `async def`, expected a plain function": CODEC.replace(
        "    def bind", "    async def bind"
    ),
    "with the right 'write', expected None or one of read, predict": route(right='"write"'),
    "registers the route '/hello' with an operation that is not one: 'greets', expected an Op": (
        route(operation='"greets"')
    ),
    "registers the route '/hello' with an operation that is not one: TypeError": said(
        "answer={'type': object()}"
    ),
    "operation that is not one: ValidationError: Expected `int` >= 300": said("statuses=(200,)"),
    "with a body_schema that is no JSON Schema: ValidationError: Expected `object`": CODEC.replace(
        'name = "csv"', 'name = "csv"\n    body_schema = "text"'
    ),
    "registers the codec `csv` twice": CODEC.replace("[Csv()]", "[Csv(), Csv()]"),
    "registers the route `GET /hello/{n}` twice": ROUTE
    + '    yield Route("/hello/{n}", ("GET",), hello)',
    "registers the route `GET /hello/{name}/` twice": ROUTE
    + '    yield Route("/hello/{name}/", ("GET",), hello)',
    "registers the route `HEAD /hello/{name}` twice": ROUTE
    + '    yield Route("/hello/{name}", ("HEAD",), hello)',
    "returned None from tfaas_lifespan, expected an async context manager": hook(
        "tfaas_lifespan", "pass"
    ),
    "returned <async_genera": LIFESPAN.replace("@asynccontextmanager\n", ""),
    "returned <contextlib.": LIFESPAN.replace("async ", "").replace("async", ""),
    "has tfaas_lifespan as `async def`": LIFESPAN.replace("@asynccontextmanager\n", "").replace(
        "yield", "return"
    ),
    "takes `guest` in tfaas_register_routes, which gives `host`; fix": ROUTE.replace(
        "routes(host)", "routes(guest)"
    ),
    "takes `config` in tfaas_register_storages, which gives no argument; fix": STORAGE.replace(
        "storages()", "storages(config)"
    ),
    "failed in tfaas_lifespan: KeyError: 'x'": hook("tfaas_lifespan", "{}['x']"),
    "marks tfaas_lifespan with `wrapper`, which has no": LIFESPAN.replace(
        "@hookimpl", "@hookimpl(wrapper=True)"
    ),
    "returned <Command hello> from tfaas_register_commands, expected an iterable of Command": (
        COMMAND.replace("[hello]", "hello")
    ),
    "from tfaas_register_commands, expected a Command": COMMAND.replace(
        '@click.command("hello")\n', ""
    ),
    "failed in tfaas_register_commands: KeyError: 'x'": hook("tfaas_register_commands", "{}['x']"),
    "with the name None, expected lower-case letters, digits, - and _": COMMAND.replace(
        "[hello]", "[click.Command(None)]"
    ),
    "with the name 'Hello you', expected": COMMAND.replace('"hello"', '"Hello you"'),
    "with the name '-h', expected": COMMAND.replace('"hello"', '"-h"'),
    "claims the command `serve`, which is built in": COMMAND.replace('"hello"', '"serve"'),
    "registers the command `hello` twice": COMMAND.replace("[hello]", "[hello, hello]"),
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


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("[Waits()]", "has answered as `async def`, expected a plain function"),
        ("[Observer]", "expected an Observer"),
        ("host.settings('nothing')", "no plugin takes the table `nothing`"),
    ],
)
def test_a_broken_observer_names_its_plugin(
    install_plugin: InstallPlugin, config: Config, returned: str, expected: str
) -> None:
    source = f"""
from tfaas_core import Observer, hookimpl

class Waits(Observer):
    async def answered(self, answer): ...

@hookimpl
def tfaas_register_observers(host):
    return {returned}
"""
    install_plugin("tfaas-broken", source)
    with pytest.raises(PluginError, match="tfaas_broken") as caught:
        installed().observers(at_rest(config))
    assert expected in caught.value.message


@pytest.mark.parametrize(
    "option", ["tryfirst", "trylast", "wrapper", "hookwrapper", "optionalhook"]
)
def test_options_of_pluggy_are_refused(install_plugin: InstallPlugin, option: str) -> None:
    install_plugin("tfaas-csv", CODEC.replace("@hookimpl", f"@hookimpl({option}=True)"))
    expected = f"marks tfaas_register_codecs with `{option}`, which has no meaning here"
    with pytest.raises(PluginError, match=re.escape(expected)):
        installed()


def test_ctrl_c_in_a_plugin_is_no_failure_of_it(install_plugin: InstallPlugin) -> None:
    install_plugin(
        "tfaas-csv", "import os, signal; os.kill(os.getpid(), signal.SIGINT)\nwhile 1: ..."
    )
    with pytest.raises(KeyboardInterrupt):
        installed()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
