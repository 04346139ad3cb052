"""The listeners of plugins: whose each is, and that no two of them meet."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

import msgspec

from tfaas_core.config import Config
from tfaas_core.errors import ConfigError, PluginError, StartupError
from tfaas_core.listener import Listener
from tfaas_core.plugins.calls import make
from tfaas_core.plugins.lifespan import Lifespan, Wording
from tfaas_core.plugins.plugin import Plugin
from tfaas_core.settings.tables import Server
from tfaas_core.system.network.address import Address, shown_address

MANAGEMENT = "management"
"""The listener that ``server.admin_port`` asks for."""


class OwnedListener(msgspec.Struct, frozen=True):
    """What ``plugin`` registered."""

    plugin: Plugin
    listener: Listener

    def serving(self, host: object, sock: socket.socket, timeout_s: float) -> Lifespan:
        """What serves ``host`` on ``sock``, to be entered. Raises PluginError.

        ``timeout_s``: how long it may answer on when it is left.
        """
        what = f"the listener `{self.listener.name}`"
        wording = Wording(what, "starting", "stopping", "has stopped")
        serve = partial(self.listener.serve, host, sock)
        manager = make(self.plugin, f"starting {what}", AbstractAsyncContextManager, serve)
        return Lifespan(self.plugin, manager, wording, timeout_s)

    def cannot_listen(self, reason: str) -> PluginError:
        """The error that it cannot have its address."""
        return self._elsewhere(f"cannot listen on {self.place} for {self}: {reason}")

    def taken(self, whose: str) -> PluginError:
        """The error that somebody else listens there."""
        return self._elsewhere(f"registers {self} on {self.place}, where {whose} listens, too")

    @property
    def place(self) -> str:
        """Where it is to listen, for messages."""
        return shown_address(self.listener.host, self.listener.port)

    def _elsewhere(self, what: str) -> PluginError:
        keys = self.listener.keys and f" ({self.listener.keys})"
        remedy = f"let it listen elsewhere{keys}, or list it in [plugins] disabled"
        return PluginError(f"plugin {self.plugin} {what}; {remedy}", plugin=self.plugin.module)

    def __str__(self) -> str:
        return f"its listener `{self.listener.name}`"


def wrong_together(config: Config, listeners: Sequence[OwnedListener]) -> Iterator[StartupError]:
    """The errors of listeners that cannot be where somebody else is, and of one that is missing."""
    if listeners:
        yield from _taken(config.server, listeners)
    names = [owned.listener.name for owned in listeners]
    if config.server.has_admin_port and MANAGEMENT not in names:
        yield ConfigError(
            f"there is no listener `{MANAGEMENT}` for server.admin_port, because its plugin is "
            "disabled or broken; take it out of [plugins] disabled - at `$.server.admin_port`"
        )


def _taken(server: Server, listeners: Sequence[OwnedListener]) -> Iterator[StartupError]:
    taken = [(_address(server.host, server.port), "the server (server.host, server.port)")]
    for owned in listeners:
        address = _address(owned.listener.host, owned.listener.port)
        for other, whose in taken:
            if address and other and address.overlaps(other):
                yield owned.taken(whose)
                break
        taken.append((address, f"the listener `{owned.listener.name}` of plugin {owned.plugin}"))


def _address(host: str, port: int) -> Address | None:
    """None if it has none, which whoever binds it is told."""
    try:
        return Address.of(host, port)
    except (OSError, ValueError):
        return None
