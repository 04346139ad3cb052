"""Handlers of routes: functions whose answers can be waited for."""

from __future__ import annotations

import inspect
from functools import partial
from types import FunctionType
from typing import Any

from tfaas_core.plugins.calls import shown
from tfaas_core.route import Response, json_response

_HINT = "expected an `async def` function that takes the request"


def why_no_handler(handler: Any) -> str:
    """A clause that says why ``handler`` cannot answer requests; empty if nothing is known.

    Only a call tells whether a plain function returns a coroutine, which would do. It is refused if
    it makes its answer itself, or says so.
    """
    if not callable(handler):
        return f"is {shown(handler)}, {_HINT}"
    function = _function(handler)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return f"yields, {_HINT} and returns a Response"
    if inspect.isclass(handler) and not hasattr(handler, "__await__"):
        return f"is the class {handler.__name__}, {_HINT}"
    if not inspect.iscoroutinefunction(function) and _makes_the_answer(function):
        return f"is not async, {_HINT}"
    if not _takes_a_request(handler):
        return f"cannot be called with one argument, {_HINT}"
    return ""


def _function(handler: Any) -> Any:
    """The function behind partials, decorators, methods, and objects that can be called."""
    while isinstance(handler, partial):
        handler = handler.func
    if not inspect.isroutine(handler) and not inspect.isclass(handler):
        handler = type(handler).__call__
    if callable(handler):
        handler = inspect.unwrap(handler)
    return getattr(handler, "__func__", handler)


def _makes_the_answer(function: object) -> bool:
    if not isinstance(function, FunctionType):
        return False
    if function.__annotations__.get("return") in (Response, "Response"):
        return True
    used = (function.__globals__.get(name) for name in function.__code__.co_names)
    return any(value is Response or value is json_response for value in used)


def _takes_a_request(handler: Any) -> bool:
    try:
        inspect.signature(handler).bind(None)
    except TypeError:
        return False
    except ValueError:  # a function of C that does not tell
        return True
    return True
