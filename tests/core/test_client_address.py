"""Who sent a request is called the same over HTTP and gRPC, whatever the socket is of."""

from __future__ import annotations

import pytest

from tfaas_core.route import ClientAddress


@pytest.mark.parametrize(
    ("peer", "ip"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:1", "::ffff:1"),
    ],
)
def test_ipv4_is_plain_also_on_a_socket_of_ipv6(peer: str, ip: str) -> None:
    assert ClientAddress.of_peer(peer, 5000) == ClientAddress(ip, 5000)
