from __future__ import annotations

import pytest
from tfaas_plugins.grpc_server.heads import client_of


@pytest.mark.parametrize(
    ("peer", "ip", "port"),
    [
        ("ipv4:127.0.0.1:5000", "127.0.0.1", 5000),
        ("ipv6:%5B::1%5D:5000", "::1", 5000),
        ("ipv6:%5B::ffff:127.0.0.1%5D:5000", "127.0.0.1", 5000),
        ("unix:/tmp/socket", "", 0),
    ],
)
def test_who_calls_is_called_as_over_http(peer: str, ip: str, port: int) -> None:
    client = client_of(peer, {})
    assert (client.ip, client.port) == (ip, port)
