"""WorkerPlace: where an HTTP worker stands among the others, and how it reaches the parent."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable

import msgspec

from tfaas_core.status import ServerStatus


class WorkerPlace(msgspec.Struct, frozen=True):
    """The place of the only worker, without a parent, unless the parent says otherwise.

    ``worker`` numbers it below ``workers``. ``engine_socket`` leads to the engine's supervisor,
    where there is one. ``announce`` tells all workers that a model has changed, as Publisher says;
    ``look`` asks the parent how the server is.
    """

    worker: int = 0
    workers: int = 1
    engine_socket: socket.socket | None = None
    announce: Callable[[str], Awaitable[None]] | None = None
    look: Callable[[], Awaitable[ServerStatus]] | None = None
