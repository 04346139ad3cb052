"""Foreign: what comes to the port, and begins like no HTTP request."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable

from tfaas_core.errors import BadBody

_EVERY_S = 60.0

# Its first byte may not begin a method, its first line has a control character, or is whole and
# names no version of HTTP: SSH, mail, or what a proxy says of its client.
_RUBBISH = re.compile(
    rb"[\r\n]*+(?:[^!-~]|[^\n]*?[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?![^\n]* HTTP/)[^\n]*\n)"
)
_TLS = re.compile(rb"\x16(?:\x03|$)")

_log = logging.getLogger("tfaas.http")


class ForeignWatch:
    """Tells foreign bytes, and logs TLS, once a minute at most; ``clock`` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged_s = -math.inf

    def is_foreign(self, data: bytes) -> bool:
        """Whether the bytes where a request should begin are no part of one.

        Sanic would wait for the end of a header that never comes.
        """
        return _RUBBISH.match(data) is not None

    def answer(self, data: bytes, client: str) -> BadBody | None:
        """What ``client`` is told of its foreign bytes; None if it speaks TLS."""
        if not _TLS.match(data):
            return BadBody("this is not HTTP: its first line is none of a request")
        if self._clock() - self._logged_s >= _EVERY_S:
            self._logged_s = self._clock()
            _log.info(
                "%s speaks TLS to this port, which takes plain HTTP: its connection is closed; "
                "use http://, or set server.tls_cert",
                client,
            )
        return None
