"""TLS, as clients and operators see it."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.certificates import Authority
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

ROW = {"values": [1, 2, 3], "model": "vk"}
MODEL = {"model": ("vk.pb", b"sum")}
SETTINGS = ("server.workers=1", "engine.isolation=inline", "server.admin_port=0")
_VERSIONS = ssl.TLSVersion
MAX_BODY_BYTES = 1_000_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secured(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[RunningServer]:
    cert = authority.signed("server")
    limit = f"server.max_body_bytes={MAX_BODY_BYTES}"
    folder = tmp_path_factory.mktemp("secured")
    with fake_server(folder, f"server.tls_cert={cert}", limit, *SETTINGS) as server:
        with client(management(server), authority) as manager:
            stored = manager.post("/upload", data={"name": "vk"}, files=MODEL)
        assert stored.status_code == 200
        yield server


def client(url: str, authority: Authority, cert: Path | None = None) -> httpx.Client:
    return httpx.Client(base_url=url, verify=authority.client(cert), timeout=60)


def management(server: RunningServer) -> str:
    return server.start_line.split("management at ")[1].strip()


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def ports(server: RunningServer) -> Sequence[str]:
    return server.url, management(server)


def test_both_ports_and_lanes_speak_tls(secured: RunningServer, authority: Authority) -> None:
    assert all(url.startswith("https://") for url in ports(secured))
    with client(secured.url, authority) as asking:
        for lane in ({}, {"Expect": "100-continue"}):
            for padding in (0, MAX_BODY_BYTES - 1000, 0):
                body = json.dumps(ROW).encode() + b" " * padding
                answer = asking.post("/json", content=body, headers=lane)
                assert (answer.status_code, answer.json()) == (200, [6.0])


@pytest.mark.parametrize(
    ("newest", "welcome"),
    [(_VERSIONS.TLSv1_1, False), (_VERSIONS.TLSv1_2, True), (_VERSIONS.TLSv1_3, True)],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_the_oldest_version_is_1_2(
    secured: RunningServer, authority: Authority, newest: ssl.TLSVersion, welcome: bool
) -> None:
    context = authority.client()
    context.minimum_version = context.maximum_version = newest
    with socket.create_connection(address(secured.url)) as plain:
        if welcome:
            context.wrap_socket(plain, server_hostname="localhost").close()
        else:
            with pytest.raises((ssl.SSLError, OSError)):
                context.wrap_socket(plain, server_hostname="localhost")


def test_plain_http_is_closed_at_once(secured: RunningServer) -> None:
    for url in ports(secured):
        with socket.create_connection(address(url), timeout=60) as plain:
            plain.sendall(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
            with suppress(ConnectionResetError):
                assert not plain.recv(100).startswith(b"HTTP")
    until(lambda: "127.0.0.1 is cut off before HTTP: it speaks plain" in secured.log.read_text())


def test_a_handshake_that_stalls_is_cut_and_holds_up_nobody(
    secured: RunningServer, authority: Authority
) -> None:
    with socket.create_connection(address(secured.url), timeout=60) as stalled:
        begin_s = time.monotonic()
        with client(secured.url, authority) as asking:
            assert asking.post("/json", json=ROW).status_code == 200
        assert stalled.recv(100) == b""
        assert time.monotonic() - begin_s > 5


def test_a_refusal_amid_a_body_arrives(secured: RunningServer, authority: Authority) -> None:
    host, port = address(secured.url)
    head = f"POST /json HTTP/1.1\r\nHost: {host}\r\nContent-Length: {4 * MAX_BODY_BYTES}\r\n\r\n"
    with (
        socket.create_connection((host, port), timeout=30) as plain,
        authority.client().wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_commands_take_https_and_a_ca(secured: RunningServer, authority: Authority) -> None:
    def models(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tfaas_core", "models", "--url", management(secured)]
        return subprocess.run([*command, *options], capture_output=True, text=True, timeout=60)

    trusting = models("--ca", str(authority.cert))
    assert trusting.stdout.startswith("NAME")
    distrusting = models()
    assert distrusting.returncode == 1
    assert "cannot be reached: unable to get local issuer certificate" in distrusting.stderr
    for wrong in ("/missing.pem", __file__):
        run = models("--ca", wrong)
        assert (run.returncode, run.stderr.count("Invalid value for --ca: ")) == (2, 1)


def test_conformance_is_tried_by_https_too(secured: RunningServer, authority: Authority) -> None:
    def tried(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tfaas_core", "conformance", secured.url]
        command += ["--only", "oip.health.live", *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert tried("--ca", str(authority.cert)).returncode == 0
    distrusting = tried()
    assert distrusting.returncode == 1
    assert "got       no answer: unable to get local issuer certificate" in distrusting.stdout


def test_clients_show_certificates_whose_subjects_are_who_they_are(
    authority: Authority, tmp_path: Path
) -> None:
    settings = (
        f"server.tls_cert={authority.signed('server')}",
        f"server.tls_client_ca={authority.cert}",
        'plugins.token_guard.tokens={ alice = { subject = "CN=alice,O=Lab\\\\, Inc" },'
        ' bob = "of-bob" }',
        "plugins.access_log.enabled=true",
    )
    alice = authority.signed("alice", "/O=Lab, Inc/CN=alice")
    carol = authority.signed("carol", "/CN=carol")
    other = Authority(tmp_path, "other").signed("mallory", "/O=Lab, Inc/CN=alice")
    with fake_server(tmp_path / "server", *settings, *SETTINGS) as server:
        url = management(server)
        with client(url, authority, alice) as asking:
            assert asking.get("/models").status_code == 200
            # A token wins.
            bob = {"Authorization": "Bearer of-bob"}
            assert asking.get("/models", headers=bob).status_code == 200
        with client(url, authority, carol) as asking:
            refused = asking.get("/models")
            assert refused.status_code == 401
            assert "no rights are configured for the certificate 'CN=carol'" in refused.text
        expired = authority.signed("expired", "/O=Lab, Inc/CN=alice", days=-1)
        for strange, why in (
            (None, "it shows no certificate"),
            (other, "its certificate is refused: unable to get local issuer certificate"),
            (expired, "its certificate is refused: certificate has expired"),
        ):
            refused_and_told(server, url, authority, strange, why)
        lines = server.log.read_text()
        assert lines.count("GET /models 200 as=alice") == lines.count("200 as=bob") == 1


def refused_and_told(
    server: RunningServer, url: str, authority: Authority, cert: Path | None, why: str
) -> None:
    """Asks until the log says why, which it does once a second at most."""

    def is_told() -> bool:
        with client(url, authority, cert) as asking, pytest.raises(httpx.TransportError):
            asking.get("/models")
        return f"127.0.0.1 is cut off before HTTP: {why}" in server.log.read_text()

    until(is_told)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (
            "missing",
            "missing.pem cannot be read: No such file or directory - at `$.server.tls_cert`",
        ),
        ("mismatch", "does not fit the certificate in"),
        ("no cert", "has no certificate in PEM - at `$.server.tls_cert`"),
        ("no key", "has no key in PEM - at `$.server.tls_cert`"),
        ("password", "has a password; take it off by `openssl pkey` - at `$.server.tls_key`"),
        ("no ca", "has no certificate in PEM - at `$.server.tls_client_ca`"),
        ("key alone", "Expected `tls_cert` beside it - at `$.server.tls_key`"),
    ],
)
@pytest.mark.parametrize("command", ["check", "serve"])
def test_wrong_files_are_one_sentence_at_the_start(
    authority: Authority, tmp_path: Path, made: str, sentence: str, command: str
) -> None:
    cert, other = authority.signed("one"), authority.signed("two")
    empty, locked = tmp_path / "empty.pem", tmp_path / "locked.pem"
    empty.write_text("")
    key = ["openssl", "pkey", "-in", str(cert), "-aes256", "-passout", "pass:x"]
    subprocess.run([*key, "-out", str(locked)], check=True, capture_output=True)
    settings = {
        "missing": [f"server.tls_cert={tmp_path / 'missing.pem'}"],
        "mismatch": [f"server.tls_cert={cert}", f"server.tls_key={other}"],
        "no cert": [f"server.tls_cert={empty}"],
        "no key": [f"server.tls_cert={cert}", f"server.tls_key={empty}"],
        "password": [f"server.tls_cert={cert}", f"server.tls_key={locked}"],
        "no ca": [f"server.tls_cert={cert}", f"server.tls_client_ca={empty}"],
        "key alone": [f"server.tls_key={cert}"],
    }[made]
    run = ran(tmp_path, command, *settings)
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert sentence in line


def test_an_expired_certificate_is_a_warning(authority: Authority, tmp_path: Path) -> None:
    run = ran(tmp_path, "check", f"server.tls_cert={authority.signed('old', days=-1)}")
    assert run.returncode == 0
    assert "tfaas: warning: the certificate" in run.stderr
    assert "old.pem expired on 20" in run.stderr


def ran(folder: Path, command: str, *settings: str) -> subprocess.CompletedProcess[str]:
    heavy = f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}"
    options = [word for setting in (heavy, *settings) for word in ("--set", setting)]
    return subprocess.run(
        [sys.executable, "-m", "tfaas_core", command, *options],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        stdin=subprocess.DEVNULL,
    )
