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
    names = by_module(plugins)
    found = ""
    for frame, _line in traceback.walk_tb(error.__traceback__):
        found = plugin_of(frame.f_globals.get("__name__", ""), names) or found
    return found


def by_module(plugins: Collection[str]) -> dict[str, str]:
    """``plugins``, named like this, by the modules that they are in."""
    return {plugin.partition(":")[0]: plugin for plugin in plugins}


def plugin_of(module: str, names: Mapping[str, str]) -> str:
    """The one of ``names``, which are by module, that ``module`` is of; empty if it is of none."""
    while module and module not in names:
        module = module.rpartition(".")[0]
    return names.get(module, "")
