"""TLS for gRPC: of the same files as HTTP's, and of those of now for each new connection."""

from __future__ import annotations

from tfaas_core.errors import ConfigError
from tfaas_core.system.network.tls import LiveTls

_PROTOCOLS = ("h2",)
"""Clients of gRPC ask for it by ALPN, and go if they do not get it."""


class GrpcTls:
    """What gRPC's port speaks TLS with. Raises ConfigError."""

    def __init__(self, of_http: LiveTls) -> None:
        self._of_http = of_http
        self._own = LiveTls(of_http.files, _PROTOCOLS)
        self.context = self._own.context

    def follow(self) -> None:
        """Takes the files that HTTP has now."""
        if self._own.files is self._of_http.files:
            return
        try:
            self._own.take(self._of_http.files)
        except ConfigError:  # HTTP has read them, and goes on with what it has read
            return
