"""Names of certificates, and until when they are valid."""

from __future__ import annotations

import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.certificates import Authority
from tfaas_core.system.network.tls import LiveTls, TlsFiles, subject_of


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def shaken(
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
    session: ssl.SSLSession | None = None,
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """The server's end and the client's, after a handshake; raises SSLError if one refuses it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(
        to_client, to_server, server_hostname="localhost", session=session
    )
    for side in (client, server, client, server, client):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return server, client


def files_of(authority: Authority) -> TlsFiles:
    cert = authority.signed("server")
    return TlsFiles(cert, cert, authority.cert)


def subject(authority: Authority, cert: Path) -> str:
    """As the server gets to know it: from a handshake."""
    server, _client = shaken(files_of(authority).context(), authority.client(cert))
    return subject_of(server.getpeercert())


@pytest.mark.parametrize(
    "name",
    [
        "/CN=alice",
        "/DC=ch/DC=cern/OU=Users/CN=alice",
        "/O=Lab, Inc/CN=a\\+b",
        "/O=Lab/CN=alice,O=Other",
        '/CN=#1 "x" <y>; z',
        "/CN= spaced ",
        "/O=Lab/UID=u1+CN=alice",
    ],
)
def test_a_subject_is_written_as_openssl_does(authority: Authority, name: str) -> None:
    cert = authority.signed("client", name)
    shown = ["openssl", "x509", "-in", str(cert), "-noout", "-subject", "-nameopt", "RFC2253"]
    run = subprocess.run(shown, capture_output=True, text=True, check=True)
    assert subject(authority, cert) == run.stdout.removesuffix("\n").removeprefix("subject=")


def test_no_certificate_has_no_subject() -> None:
    assert subject_of(None) == subject_of({}) == ""


@pytest.mark.parametrize(("days", "warned"), [(-1, True), (30, False), (40_000, False)])
def test_an_expired_certificate_is_warned_of(authority: Authority, days: int, warned: bool) -> None:
    cert = authority.signed("dated", days=days)
    assert bool(TlsFiles(cert, cert).warnings()) is warned


def test_a_session_from_before_a_change_is_not_gone_on_with(authority: Authority) -> None:
    """Nobody would look at its client's certificate, whose signer may be trusted no more."""
    files = files_of(authority)
    live, context = LiveTls(files), authority.client(authority.signed("client", "/CN=alice"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    # A connection that is dropped without a good-bye takes its session along.
    first, client = shaken(live.context, context)
    second, again = shaken(live.context, context, client.session)
    assert first.session_reused is False
    assert second.session_reused
    live.take(files)
    assert again.session_reused
    with pytest.raises(ssl.SSLError):
        shaken(live.context, context, client.session)
    server, _client = shaken(live.context, context)
    assert subject_of(server.getpeercert()) == "CN=alice"


def test_nothing_is_written_of_a_client_that_asks_for_a_name_beyond_ascii(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    server = LiveTls(files_of(authority)).context
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    to_server.write(hello_for(authority, b"localhost", b"localh\xc3\xb6t"))
    with pytest.raises(ssl.SSLError):
        server.wrap_bio(to_server, to_client, server_side=True).do_handshake()
    assert to_client.pending
    assert told == []
    unraisable = SimpleNamespace(exc_value=KeyError(1), object=b"")
    sys.unraisablehook(unraisable)
    assert told == [unraisable]


def hello_for(authority: Authority, name: bytes, instead: bytes) -> bytes:
    """The first bytes of a client that asks for a name of the same length."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority.client().wrap_bio(to_client, to_server, server_hostname=name.decode())
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return to_server.read().replace(name, instead)
