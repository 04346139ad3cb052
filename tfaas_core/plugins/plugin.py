"""Plugin: a plugin that was found, and the error that names it."""

from __future__ import annotations

import re

import msgspec

from tfaas_core.errors import PluginError


class Plugin(msgspec.Struct, frozen=True):
    """A plugin that was found, disabled ones included.

    ``module`` is what the entry point names: a module, or ``module:object``. Of a file or package
    in the folder of plugins, ``distribution`` is its path, and ``version`` is empty.
    """

    module: str
    distribution: str
    version: str
    disabled: bool = False

    def is_called(self, name: str) -> bool:
        """Whether ``name`` is its module's or distribution's, in any spelling."""
        names = (self.module, self.module.partition(":")[0], self.distribution)
        return _normal(name) in map(_normal, names)

    def __str__(self) -> str:
        return f"{self.module} ({self.source})"

    @property
    def source(self) -> str:
        """Where it is from: a distribution and its version, or a path."""
        return f"{self.distribution} {self.version}".rstrip()


def broken(plugin: Plugin, what: str) -> PluginError:
    """The error that says ``what`` is wrong with ``plugin``: a clause, without a subject."""
    return PluginError(
        f"plugin {plugin} {what}; fix it, or list it in [plugins] disabled", plugin=plugin.module
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
