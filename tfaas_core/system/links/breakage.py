"""Breakage: what has happened to a socket, whatever is still to be read from it."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from functools import partial


def breakage_of(sock: socket.socket) -> Callable[[], list[tuple[int, int]]]:
    """What gives, each time, nothing unless the other side is gone, or the connection was cut.

    uvloop tells whoever reads from a socket with an error of that once, and no more. So who reads a
    part of what has come then looks here, and reads again without being told. ``sock`` has to be
    open.
    """
    poll = select.poll()
    poll.register(sock, 0)
    return partial(poll.poll, 0)
