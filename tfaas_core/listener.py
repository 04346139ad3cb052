"""Listener: a further socket that the server listens on, and what serves there."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import msgspec

Serve: TypeAlias = Callable[[Any, socket.socket], AbstractAsyncContextManager[None]]
"""Called in each HTTP worker with its started Host and the socket, which the worker owns.

What it returns is entered before the worker accepts requests, and accepts connections from then on.
It is left when the server stops, while HTTP drains: then it answers what has come, within
``server.request_timeout_s``, and ends. It may block for no longer than a route's handler may."""


class Listener(msgspec.Struct, frozen=True):
    """Where the server listens beside its own port, and what serves there.

    ``name``, lower-case letters, digits and -, is what messages call it. The parent binds ``host``
    and ``port``, once, and hands the socket to each HTTP worker: it listens already, and all
    workers accept from it.
    """

    name: str
    host: str
    port: int
    """0: any free port, which the socket knows."""

    serve: Serve

    reuse_port: bool = False
    """The socket does not listen, and has SO_REUSEPORT: it only keeps the port, and each worker
    listens there with a socket of its own that has it, too. For connections that last, like
    gRPC's: so the system spreads them over the workers; and for libraries that take no socket. Each
    ends its sockets itself at a stop."""

    keys: str = ""
    """The keys of the configuration that say where it listens, for messages."""

    url: str = "{address}"
    """How the start line shows it, with ``{address}`` for the host and the port."""
