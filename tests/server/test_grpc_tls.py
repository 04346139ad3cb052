"""TLS of gRPC, as clients and operators see it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import grpc

from tests.certificates import Authority
from tests.server.grpc_calls import address, called, channel_to, method, refused
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

PORT = "plugins.grpc.port=0"
CHECK = "/grpc.health.v1.Health/Check"


def credentials(authority: Authority, cert: Path | None = None) -> Any:
    roots, pair = authority.cert.read_bytes(), None if cert is None else cert.read_bytes()
    return grpc.ssl_channel_credentials(roots, pair, pair)


def test_tls_is_of_the_same_files_and_changes_with_them(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    cert = tmp_path / "now.pem"
    cert.write_bytes(authority.signed("server").read_bytes())
    with fake_server(tmp_path / "server", PORT, f"server.tls_cert={cert}") as server:
        assert "grpc at " in server.start_line
        with grpc.secure_channel(address(server), credentials(authority)) as channel:
            assert called(channel, CHECK)
        with channel_to(server) as channel:
            assert refused(channel, CHECK).code() is grpc.StatusCode.UNAVAILABLE
        cert.write_bytes(other.signed("renewed").read_bytes())
        server.process.send_signal(signal.SIGHUP)
        # Each worker reads them by itself, and a connection is of one of the two.
        until(lambda: all(answers_over_tls(server, other) for _ in range(4)))
        until(lambda: not any(answers_over_tls(server, authority) for _ in range(4)))


def answers_over_tls(server: RunningServer, authority: Authority, cert: Path | None = None) -> bool:
    pool = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(address(server), credentials(authority, cert), pool) as channel:
        try:
            return called(channel, CHECK) != b""
        except grpc.RpcError:
            return False


def test_clients_show_certificates_whose_subjects_are_who_they_are(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    settings = (
        "server.workers=1",
        f"server.tls_cert={authority.signed('server')}",
        f"server.tls_client_ca={authority.cert}",
        'plugins.token_guard.tokens={ alice = { subject = "CN=alice,O=Lab\\\\, Inc" } }',
    )
    alice = authority.signed("alice", "/O=Lab, Inc/CN=alice")
    carol = authority.signed("carol", "/CN=carol")
    other = Authority(tmp_path, "other").signed("mallory", "/O=Lab, Inc/CN=alice")
    live = method("ServerMetadata")
    with fake_server(tmp_path / "server", PORT, *settings) as server:
        with grpc.secure_channel(address(server), credentials(authority, alice)) as channel:
            assert called(channel, live)
        with grpc.secure_channel(address(server), credentials(authority, carol)) as channel:
            assert refused(channel, live).code() is grpc.StatusCode.UNAUTHENTICATED
        with grpc.secure_channel(address(server), credentials(authority)) as channel:
            assert refused(channel, live).code() is grpc.StatusCode.UNAVAILABLE
        refused_and_told(server, authority, None, "it shows no certificate")
        refused_and_told(server, authority, other, "its certificate is refused: unable to get")


def refused_and_told(
    server: RunningServer, authority: Authority, cert: Path | None, why: str
) -> None:
    """Calls until the log says why, which it does once a second at most."""

    def is_told() -> bool:
        assert not answers_over_tls(server, authority, cert)
        return f"127.0.0.1 is cut off before gRPC: {why}" in server.log.read_text()

    until(is_told)


def test_whether_clients_need_certificates_changes_at_a_sighup(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    alice = authority.signed("alice")
    file = tmp_path / "tfaas.toml"
    tls = f"[server]\ntls_cert = '{authority.signed('server')}'\n"
    file.write_text(tls)
    arguments = ["--config", str(file)]
    with fake_server(tmp_path / "server", PORT, arguments=arguments) as server:
        assert answers_over_tls(server, authority)
        file.write_text(f"{tls}tls_client_ca = '{authority.cert}'\n")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: not any(answers_over_tls(server, authority) for _ in range(4)))
        assert answers_over_tls(server, authority, alice)
