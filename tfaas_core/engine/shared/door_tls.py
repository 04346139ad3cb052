"""DoorTls: the TLS of connections to a door, on either side, with the certificates of now."""

from __future__ import annotations

import logging
import socket
import ssl
from abc import ABC, abstractmethod
from pathlib import Path

from tfaas_core.engine.shared.tunnel import Tunnel, tls_over
from tfaas_core.errors import ConfigError
from tfaas_core.system.network.tls import TlsFiles, stamp_of, trust

_log = logging.getLogger("tfaas.door")


class DoorTls(ABC):
    """Keeps its tunnels until they end. It belongs to the event loop's thread.

    Files that have changed hold for the next connection; those that are open keep what they began
    with.
    """

    def __init__(self) -> None:
        """Raises ConfigError, which names the file."""
        # First the stamp: what changes while it is read is read again.
        self._stamp, self._context = self._stamp_now(), self._made()
        self._tunnels: set[Tunnel] = set()

    async def tunnel(self, sock: socket.socket, name: str | None = None) -> Tunnel:
        """Takes over ``sock``, also if it raises OSError.

        ``name``: that of the host that is called.
        """
        outer = await tls_over(sock, self._context_now(), name)
        try:
            tunnel = Tunnel(outer, self._tunnels.discard)
        except OSError:  # too many files are open
            outer.close()
            raise
        self._tunnels.add(tunnel)
        return tunnel

    def close(self) -> None:
        """Ends all of them."""
        for tunnel in list(self._tunnels):
            tunnel.close()

    def _context_now(self) -> ssl.SSLContext:
        stamp = self._stamp_now()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._context = self._made()
            except ConfigError as error:
                _log.error("certificates have changed, and the former hold: %s", error.message)
            else:
                _log.info("the certificates were read again")
        return self._context

    @abstractmethod
    def _made(self) -> ssl.SSLContext:
        """Of the files as they are now. Raises ConfigError."""

    @abstractmethod
    def _stamp_now(self) -> object:
        """Another one once a file has changed."""


class HostTls(DoorTls):
    """Of a host, which shows a certificate, and may ask for one."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        super().__init__()

    def _made(self) -> ssl.SSLContext:
        return self._files.context()

    def _stamp_now(self) -> object:
        return self._files.stamp()


class CallerTls(DoorTls):
    """Of a server: ``ca`` has signed its hosts' certificates; ``files``: what it shows if asked."""

    def __init__(self, ca: Path, ca_key: str, files: TlsFiles | None) -> None:
        self._ca, self._ca_key, self._files = ca, ca_key, files
        super().__init__()

    def _made(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        trust(context, self._ca, self._ca_key)
        if self._files is not None:
            self._files.shown_by(context)
        return context

    def _stamp_now(self) -> object:
        own = () if self._files is None else (self._files.cert, self._files.key)
        return stamp_of(self._ca, *own)


def why_refused(error: ssl.SSLError, ca: str) -> str:
    """A clause on the other side, whose TLS has failed. ``ca``: the key of who may sign for it."""
    reason = error.reason or ""
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return f"shows no certificate, and {ca} asks for one"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that is refused: {error.verify_message}; see {ca}"
    if "_ALERT_" in reason:
        alert = reason.partition("_ALERT_")[2].replace("_", " ").lower()
        return f"refuses the certificate of this machine: {alert}"
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "speaks no TLS, and engine.remote of this machine asks for it"
    return f"speaks a TLS that cannot be read: {reason.replace('_', ' ').lower() or error}"
