from __future__ import annotations

import pytest

from tests.core.plugins.sources import InstallPlugin, at_rest, installed, route
from tfaas_core.config import Config

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
