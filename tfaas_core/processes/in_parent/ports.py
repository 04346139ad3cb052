"""Ports: all sockets that the server listens on, as the parent has them."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import msgspec

from tfaas_core.config import Config
from tfaas_core.plugins.listeners import OwnedListener
from tfaas_core.processes.in_parent.listener import bind, shut
from tfaas_core.system.network.address import shown_address


class Ports(msgspec.Struct, frozen=True):
    """``http`` is the server's own, ``others`` are those of ``listeners``, by their names."""

    http: socket.socket
    others: dict[str, socket.socket]
    listeners: Sequence[OwnedListener]
    scheme: str = "http"

    @classmethod
    @contextmanager
    def bound(cls, config: Config, listeners: Sequence[OwnedListener]) -> Iterator[Ports]:
        """All are bound in the block. Raises StartupError if one cannot be."""
        with ExitStack() as bound:
            http = bound.enter_context(bind(config.server.host, config.server.port))
            others = {}
            for owned in listeners:
                listener = owned.listener
                sock = bind(listener.host, listener.port, owned.cannot_listen, listener.reuse_port)
                others[listener.name] = bound.enter_context(sock)
            yield cls(http, others, listeners, config.server.scheme)

    def announced(self, base: str) -> str:
        """The addresses, for whoever started the server. ``base`` is the prefix of HTTP's paths."""
        others = [f", {owned.listener.name} at {self._url(owned)}" for owned in self.listeners]
        return f"{self.scheme}://{_place(self.http)}{base}{''.join(others)}"

    def shut(self) -> None:
        """Lets nobody else in; who is in already can be accepted."""
        shut(self.http)
        for owned in self.listeners:
            if not owned.listener.reuse_port:
                shut(self.others[owned.listener.name])

    def close(self) -> None:
        """Closes the parent's hold on all of them."""
        for sock in (self.http, *self.others.values()):
            sock.close()

    def _url(self, owned: OwnedListener) -> str:
        return owned.listener.url.replace("{address}", _place(self.others[owned.listener.name]))


def _place(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return shown_address(host, port)
