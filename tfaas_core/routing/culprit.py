"""Culprit: the plugin whose code an error comes from."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Mapping


def culprit(error: BaseException, plugins: Collection[str]) -> str:
    """The one of ``plugins`` that raised ``error``, or that called what raised it.

    ``plugins`` are named by what their entry points name: a module, or ``module:object``. If
    plugins called each other, it is the one that was called last; empty if none was. A module's
    own submodules count as it.
    """
    by_module = {plugin.partition(":")[0]: plugin for plugin in plugins}
    found = ""
    for frame, _line in traceback.walk_tb(error.__traceback__):
        found = _plugin_of(frame.f_globals.get("__name__", ""), by_module) or found
    return found


def _plugin_of(module: str, by_module: Mapping[str, str]) -> str:
    while module and module not in by_module:
        module = module.rpartition(".")[0]
    return by_module.get(module, "")
