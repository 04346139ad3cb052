"""Ports for servers that are told theirs, or are started again on the same one."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

_PORTS = 20_000, 32_000  # Linux gives those from 32768 on to whoever asks for any


def lasting_port() -> int:
    """A port of 127.0.0.1 that the system gives nobody who asks for any, even while it is free."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            port = random.SystemRandom().randrange(*_PORTS)
            probe.bind(("127.0.0.1", port))
            return port
