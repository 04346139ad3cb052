"""How a fork server begins: tied to the parent before it imports anything that takes long."""

from __future__ import annotations

from multiprocessing.connection import Connection

from tfaas_core.system.lives.lifeline import LifelineEnd


def begin(sock: int, lifeline: int) -> None:
    """Does what a fork server does, with the descriptors that it was started with."""
    end = LifelineEnd(Connection(lifeline, writable=False), "tfaas-fork")
    end.tie("tfaas-fork")

    import socket

    from tfaas_core.engine.in_fork_server.process import main

    main(socket.socket(fileno=sock), end)
