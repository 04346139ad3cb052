"""Whether a server could listen, without listening."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.other_account import needs_root, told_nobody
from tfaas_core.errors import StartupError
from tfaas_core.system.network.address import Address, is_free_address

_FIRST_FREE_TO_ALL = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@needs_root
def test_a_port_that_needs_a_right_is_refused_to_who_has_it_not() -> None:
    if int(_FIRST_FREE_TO_ALL.read_text()) <= 80:
        pytest.skip("every account may have every port")
    told = told_nobody(lambda: is_free_address("127.0.0.1", 80))
    reason = os.strerror(13)
    place = "127.0.0.1:80 (server.host, server.port)"
    assert told == f"cannot listen on {place}: {reason}; let the server listen elsewhere"


def test_a_port_that_a_server_uses_is_told_and_left_alone() -> None:
    with Address.of("127.0.0.1", 0).bound() as listener:
        listener.listen()
        port = listener.getsockname()[1]
        assert not is_free_address("127.0.0.1", port)
        with socket.create_connection(("127.0.0.1", port)):
            pass
    assert is_free_address("127.0.0.1", 0)


def test_the_address_of_another_machine_is_refused() -> None:
    with pytest.raises(StartupError, match=r"cannot listen on 192\.0\.2\.1:8083"):
        is_free_address("192.0.2.1", 8083)
