"""Whatever the OpenAPI document says that the server takes: it answers as that says."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.fuzz.dice import Dice
from tests.fuzz.openapi_host import OpenApiHost


@cache
def _host() -> OpenApiHost:
    return OpenApiHost()


def check(data: bytes) -> None:
    dice = Dice(data)
    test: Any = dice.one_of([*_host().tests.values()])
    test.hypothesis.fuzz_one_input(dice.rest())


def end() -> None:
    """Once nothing more is to be checked."""
    _host().end()
    _host.cache_clear()
