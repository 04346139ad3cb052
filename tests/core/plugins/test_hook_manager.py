"""HookManager finds in a module what pluggy does, without looking at all else."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pluggy

from tfaas_core import hookspecs
from tfaas_core.hookspecs import hookimpl
from tfaas_core.plugins.finding import HookManager


class Marked:
    @hookimpl
    def tfaas_register_routes(self) -> list[Any]:
        return []

    @classmethod
    @hookimpl
    def tfaas_register_codecs(cls) -> list[Any]:
        return []


@hookimpl(specname="tfaas_register_codecs")
def _named_otherwise() -> list[Any]:
    return []


def test_in_a_module_the_marked_names_are_found_however_they_are_made() -> None:
    module = ModuleType("made")
    vars(module).update(
        tfaas_register_codecs=staticmethod(_named_otherwise),
        tfaas_register_routes=Marked().tfaas_register_routes,
        tfaas_register_guards=Marked.tfaas_register_codecs,
        another=_named_otherwise,
        unmarked=test_in_a_module_the_marked_names_are_found_however_they_are_made,
        kind=Marked,
        hookimpl=hookimpl,
        number=1,
    )
    plain = pluggy.PluginManager(hookspecs.PROJECT)
    expected = {name: plain.parse_hookimpl_opts(module, name) for name in dir(module)}
    manager = HookManager()
    assert {name: manager.parse_hookimpl_opts(module, name) for name in dir(module)} == expected
    found = {name for name, options in expected.items() if options}
    assert found == {
        *("tfaas_register_codecs", "tfaas_register_routes", "tfaas_register_guards", "another")
    }
