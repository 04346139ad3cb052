"""Handshakes: those of TLS that fail, so that no request comes of them, and what the log says."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

CERTIFICATES_EVERY_S = 1.0
OTHERS_EVERY_S = 60.0

_NO_CERTIFICATE = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
_WRONG_CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"
_TOO_OLD = ("UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW")
_SESSION_REFUSED = "CALLBACK_FAILED"


class _RefusedError(Exception):
    """A handshake failed with ``why``. That is an OSError, which event loops keep to themselves."""

    def __init__(self, why: ssl.SSLError, watch: HandshakeWatch) -> None:
        super().__init__(str(why))
        self.why = why
        self.watch = watch


class _Told(ssl.SSLObject):
    """A connection whose failed handshake the event loop tells of, with the client's address."""

    watch: ClassVar[HandshakeWatch]
    _failed: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLSyscallError):
            raise
        except ssl.SSLError as error:
            # The event loop asks for the client's certificate next.
            self._failed = error

    def getpeercert(self, binary_form: bool = False) -> Any:
        if self._failed is not None:
            raise _RefusedError(self._failed, self.watch)
        return super().getpeercert(binary_form)


def watch_handshakes(
    context: ssl.SSLContext, loop: asyncio.AbstractEventLoop, protocol: str, logger: str
) -> None:
    """Has ``logger`` tell of handshakes that fail, with ``context``, on connections of ``loop``.

    ``protocol``: what would come behind them.
    """
    kind = context.sslobject_class
    if kind is not None and issubclass(kind, _Told):
        return  # for another port
    watch = HandshakeWatch(protocol, logger)
    context.sslobject_class = type(_Told.__name__, (_Told,), {"watch": watch})
    before = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
        refused = told.get("exception")
        if isinstance(refused, _RefusedError):
            address = told["transport"].get_extra_info("peername")
            refused.watch.failed(refused.why, address[0] if address else "a client")
        elif before is not None:
            before(loop, told)
        else:
            loop.default_exception_handler(told)

    loop.set_exception_handler(handle)


class HandshakeWatch:
    """Logs why handshakes fail: once a second at most where it is for a client's certificate, and
    each other reason once a minute. ``clock`` counts seconds."""

    def __init__(
        self, protocol: str, logger: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._protocol = protocol
        self._log = logging.getLogger(logger)
        self._clock = clock
        self._logged_s: dict[str, float] = {}
        self._untold: Counter[str] = Counter()

    def failed(self, error: ssl.SSLError, client: str) -> None:
        """The handshake with ``client`` has ended with ``error``."""
        if error.reason == _SESSION_REFUSED:
            return  # The client begins anew, and shows its certificate.
        kind, every_s = error.reason or "", OTHERS_EVERY_S
        if kind in (_NO_CERTIFICATE, _WRONG_CERTIFICATE):
            kind, every_s = _WRONG_CERTIFICATE, CERTIFICATES_EVERY_S
        now_s = self._clock()
        if now_s - self._logged_s.get(kind, -math.inf) < every_s:
            self._untold[kind] += 1
            return
        self._logged_s[kind] = now_s
        untold = self._untold.pop(kind, 0)
        more = f"; {untold} more were cut off since the last such line" if untold else ""
        why = _why(error)
        self._log.info("%s is cut off before %s: %s%s", client, self._protocol, why, more)


def _why(error: ssl.SSLError) -> str:
    reason = error.reason or ""
    if reason == _NO_CERTIFICATE:
        return "it shows no certificate, and server.tls_client_ca asks for one"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is refused: {error.verify_message}; those count that one of "
            "server.tls_client_ca has signed, and that have not expired"
        )
    if reason == "HTTP_REQUEST":
        return "it speaks plain HTTP to this port, which takes TLS; use https://"
    if reason in _TOO_OLD:
        return "it speaks no version of TLS that is served here, which are 1.2 and 1.3"
    if "_ALERT_" in reason:
        alert = reason.partition("_ALERT_")[2].replace("_", " ").lower()
        return f"it refuses this server, or its certificate: {alert}"
    return f"its TLS cannot be read: {reason.replace('_', ' ').lower() or error.strerror}"
