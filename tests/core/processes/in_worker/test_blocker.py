"""Whose code an event loop is in, seen from another thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest
import uvloop

from tfaas_core.processes.in_worker.blocker import Blocker, find_blocker
from tfaas_core.system.loop.exits import run_through_exits
from tfaas_core.testing.waiting import until

PLUGINS = {"tfaas_a", "tfaas_b:plugin", "tfaas_d.hooks"}
JSON = "tfaas_plugins.codecs.json"
BUILT_IN = {JSON}
CALL = "def call(inner):\n    return inner()\n"


def code_of(module: str) -> Callable[[Callable[[], Blocker | None]], Blocker | None]:
    """A function of ``module`` that calls another."""
    made = ModuleType(module)
    exec(compile(CALL, f"{module}.py", "exec"), vars(made))
    call: Callable[[Callable[[], Blocker | None]], Blocker | None] = vars(made)["call"]
    return call


def in_loop(*modules: str) -> Blocker | None:
    """Who is found while functions of ``modules`` call each other in an event loop."""
    found: list[Blocker | None] = []
    thread = threading.get_ident()

    def look() -> Blocker | None:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(find_blocker, thread, PLUGINS, BUILT_IN).result()

    def called(depth: int = 0) -> Blocker | None:
        return (
            look() if depth == len(modules) else code_of(modules[depth])(lambda: called(depth + 1))
        )

    async def main() -> None:
        found.append(called())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run_through_exits(runner, main(), lambda _error: None)
    return found[0]


@pytest.mark.parametrize(
    ("modules", "owner"),
    [
        (["tfaas_a"], "plugin tfaas_a"),
        (["tfaas_a", "tfaas_b"], "plugin tfaas_b:plugin"),
        (["tfaas_a.part", "json.encoder"], "plugin tfaas_a"),
        (["tfaas_d.codec", "json.encoder"], "plugin tfaas_d.hooks"),
        (["tfaas_a", "tfaas_plugins.codecs.json.codec"], "plugin tfaas_a"),
        (
            ["tfaas_plugins.codecs.json.codec", "json"],
            "the built-in plugin tfaas_plugins.codecs.json",
        ),
        (["tfaas_core.predict.catalog", "json"], "TFaaS itself"),
        ([], "module threading"),
    ],
)
def test_the_innermost_plugin_is_found(modules: list[str], owner: str) -> None:
    blocker = in_loop(*modules)
    assert blocker is not None
    assert blocker.owner == owner


def test_the_place_is_told_and_what_it_has_called() -> None:
    blocker = in_loop("tfaas_a", "json")
    assert str(blocker).startswith("plugin tfaas_a, in call (tfaas_a.py:2), which is in ")
    assert str(blocker).endswith(" of threading")


def test_a_loop_that_waits_is_in_nobodys_code() -> None:
    thread = threading.get_ident()

    def look() -> None:
        until(lambda: find_blocker(thread, PLUGINS, BUILT_IN) is None)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run_through_exits(runner, asyncio.to_thread(look), lambda _error: None)
