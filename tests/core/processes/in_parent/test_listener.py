from __future__ import annotations

import socket

import pytest

from tfaas_core.errors import StartupError
from tfaas_core.processes.in_parent.listener import bind, shut


def test_whoever_connected_before_the_door_was_shut_is_let_in_and_nobody_else() -> None:
    with bind("127.0.0.1", 0) as listener:
        listener.setblocking(False)
        address = listener.getsockname()
        early = [socket.create_connection(address) for _ in range(20)]
        shut(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.2)
        accepted = [listener.accept()[0] for _ in early]
        with pytest.raises(BlockingIOError):
            listener.accept()
    for client in early:
        client.sendall(b"a request")
    for client in accepted:
        assert client.recv(100) == b"a request"
    for client in (*early, *accepted):
        client.close()


def test_an_address_that_is_taken_is_named() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StartupError, match=rf"cannot listen on 127\.0\.0\.1:{port} .*in use"):
            bind("127.0.0.1", port)
