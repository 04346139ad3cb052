"""What is wrong with a route, before anybody asks for it."""

from __future__ import annotations

import inspect
import re
from functools import partial
from typing import Any

from tfaas_core.route import Route
from tfaas_core.routing.pattern import Pattern

_METHOD = re.compile(r"[A-Z]+")


def fault_of(route: Route) -> str | None:
    """Why the route cannot be served, as the end of a sentence; None: it can."""
    try:
        Pattern.of(route.path)
    except ValueError as error:
        return str(error)
    return _fault_of_methods(route.methods) or _fault_of_use(route)


def _fault_of_methods(methods: Any) -> str | None:
    if not isinstance(methods, tuple) or not methods:
        return "the methods have to be a tuple like ('GET',)"
    if not all(isinstance(method, str) and _METHOD.fullmatch(method) for method in methods):
        return "the methods have to be in upper case, like ('GET',)"
    if len(set(methods)) < len(methods):
        return "a method is there twice"
    return None


def _fault_of_use(route: Route) -> str | None:
    if not _is_async(route.handler):
        return f"the handler has to be a function of `async def`, not {route.handler!r:.100}"
    if route.express and route.streams:
        return "it cannot both be express, and read its body as it streams"
    if route.express and "POST" not in route.methods:
        return "it is express, which is for POST alone"
    return None


def _is_async(handler: Any) -> bool:
    """Whether calling it gives something to await; decorators that say what they wrap count."""
    while isinstance(handler, partial):
        handler = handler.func
    if not callable(handler):
        return False
    candidates = (handler, inspect.unwrap(handler), type(handler).__call__)
    return any(inspect.iscoroutinefunction(candidate) for candidate in candidates)
