"""Plugins for tests: their source, and what asks them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tfaas_core.config import Config, load_config
from tfaas_core.host import Host
from tfaas_core.plugins import BUILTIN_PLUGINS, Plugins, load_plugins
from tfaas_core.wiring.composition import Composition

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

LIFESPAN = """
from contextlib import asynccontextmanager
from tfaas_core.hookspecs import hookimpl

@hookimpl
@asynccontextmanager
async def tfaas_lifespan(host):
    yield
"""

LISTENER = """
import asyncio
from contextlib import asynccontextmanager
from tfaas_core.hookspecs import hookimpl
from tfaas_core.listener import Listener

@asynccontextmanager
async def serve(host, sock):
    yield

@hookimpl
def tfaas_register_listeners(config):
    return [Listener("echo", "127.0.0.1", 0, serve)]
"""

COMMAND = """
import click
from tfaas_core.hookspecs import hookimpl

@click.command("hello")
def hello(): ...

@hookimpl
def tfaas_register_commands():
    return [hello]
"""


def hook(name: str, body: str) -> str:
    return f"from tfaas_core.hookspecs import hookimpl\n@hookimpl\ndef {name}():\n    {body}\n"


RUNTIME = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.runtime import Runtime

class Tape(Runtime):
    preload = ("json",)

    def claim(self, artifact, file_name): ...
    def load(self, artifact, params, options): ...

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


def installed(*disabled: str) -> Plugins:
    """Only what a test installs."""
    return load_plugins([*BUILTIN_PLUGINS, *disabled])


def listener(**changed: str) -> str:
    """The plugin with a listener, of which some arguments are others."""
    arguments = {"name": '"echo"', "host": '"127.0.0.1"', "port": "0", "serve": "serve"} | changed
    listed = ", ".join(f"{name}={value}" for name, value in arguments.items())
    return LISTENER.replace('Listener("echo", "127.0.0.1", 0, serve)', f"Listener({listed})")


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
    plugins.lifespans(at_rest(config))
    plugins.listeners(config)
    plugins.commands(["serve"])
