"""Culprit: the plugin whose code an error comes from."""

from __future__ import annotations

import traceback
from collections.abc import Collection


def culprit(error: BaseException, plugins: Collection[str]) -> str:
    """The module, one of ``plugins``, that raised ``error``, or that called what raised it.

    If plugins called each other, it is the one that was called last; empty if none was.
    A module's own submodules count as it.
    """
    found = ""
    for frame, _line in traceback.walk_tb(error.__traceback__):
        found = _plugin_of(frame.f_globals.get("__name__", ""), plugins) or found
    return found


def _plugin_of(module: str, plugins: Collection[str]) -> str:
    while module and module not in plugins:
        module = module.rpartition(".")[0]
    return module
