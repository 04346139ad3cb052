"""Handshakes that fail, and what the log says of them."""

from __future__ import annotations

import logging
import ssl
from contextlib import suppress

import pytest

from tests.certificates import Authority
from tfaas_core.system.network.handshakes import HandshakeWatch
from tfaas_core.system.network.tls import TlsFiles


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def context_of(authority: Authority) -> ssl.SSLContext:
    cert = authority.signed("server")
    return TlsFiles(cert, cert, authority.cert).context()


def failed(sent: bytes, context: ssl.SSLContext) -> ssl.SSLError:
    arriving = ssl.MemoryBIO()
    arriving.write(sent)
    with pytest.raises(ssl.SSLError) as caught:
        context.wrap_bio(arriving, ssl.MemoryBIO(), server_side=True).do_handshake()
    return caught.value


def without_certificate(authority: Authority) -> ssl.SSLError:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context_of(authority).wrap_bio(to_server, to_client, server_side=True)
    client = authority.client().wrap_bio(to_client, to_server, server_hostname="localhost")
    for side in (client, server, client):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    with pytest.raises(ssl.SSLError) as caught:
        server.do_handshake()
    return caught.value


def test_certificates_are_told_once_a_second_and_others_once_a_minute(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = [0.0]
    watch = HandshakeWatch("HTTP", "tfaas.http", lambda: now_s[0])
    certificate = without_certificate(authority)
    plain = failed(b"GET / HTTP/1.1\r\n\r\n", context_of(authority))
    with caplog.at_level(logging.INFO, "tfaas.http"):
        for moment_s in (0.0, 0.5, 0.9, 1.0, 59.9, 60.0):
            now_s[0] = moment_s
            watch.failed(certificate, f"a{moment_s:g}")
            watch.failed(plain, f"b{moment_s:g}")
    firsts = [message.split()[0] for message in caplog.messages]
    assert firsts == ["a0", "b0", "a1", "a59.9", "b60"]
    assert "; 2 more were cut off since the last such line" in caplog.messages[2]
    assert "more were cut off" not in caplog.messages[3]
    assert "; 4 more were cut off" in caplog.messages[4]


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "it speaks plain HTTP to this port, which takes TLS"),
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "its TLS cannot be read: "),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "its TLS cannot be read: "),
    ],
)
def test_what_is_no_handshake_is_told(
    authority: Authority, caplog: pytest.LogCaptureFixture, sent: bytes, sentence: str
) -> None:
    with caplog.at_level(logging.INFO, "tfaas.http"):
        HandshakeWatch("HTTP", "tfaas.http").failed(
            failed(sent, context_of(authority)), "192.0.2.7"
        )
    (message,) = caplog.messages
    assert message.startswith(f"192.0.2.7 is cut off before HTTP: {sentence}")
