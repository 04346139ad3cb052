"""SIGHUP, and files of certificates that change: the server takes them, and loses no request."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.certificates import Authority
from tfaas_core.testing.clients import Clients, fake_server
from tfaas_core.testing.forked import kill_and_wait
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

INLINE = ("engine.isolation=inline",)
READ = "the configuration was read again"
REFUSED = "nothing was changed at SIGHUP"
NOT_YET = "has not taken the configuration within"
HANGS_UP = """
import os, pathlib, signal
from tfaas_core.hookspecs import hookimpl

if not (told := pathlib.Path(os.environ["TOLD"])).exists():
    told.touch()
    os.kill(os.getpid(), signal.SIGHUP)

@hookimpl
def tfaas_register_routes():
    return []
"""


class Renewed:
    """A server with a configuration file, which is written and read again."""

    def __init__(self, server: RunningServer, file: Path) -> None:
        self.server = server
        self.file = file

    def write(self, text: str, expected: str = READ) -> str:
        """Has the server read ``text``; the lines that it logs of it, ``expected`` among them."""
        self.file.write_text(text)
        return self.hang_up(expected)

    def hang_up(self, expected: str = READ) -> str:
        before = len(self.server.log.read_text())
        self.server.process.send_signal(signal.SIGHUP)
        until(lambda: expected in self.server.log.read_text()[before:])
        return self.server.log.read_text()[before:]


@contextmanager
def configured(folder: Path, text: str, *settings: str) -> Iterator[Renewed]:
    file = folder / "tfaas.toml"
    file.write_text(text)
    with fake_server(folder, *INLINE, *settings, arguments=["--config", str(file)]) as server:
        yield Renewed(server, file)


def line(name: str, **more: object) -> str:
    rights = f", rights = {json.dumps(more['rights'])}" if more else ""
    return f'{name} = {{ sha256 = "{sha256(name.encode()).hexdigest()}"{rights} }}\n'


def status(server: RunningServer, token: str) -> int:
    """Of both workers, or of one of them twice."""
    found = set()
    for _ in range(4):
        with httpx.Client(base_url=server.url, timeout=30) as fresh:
            headers = {"Authorization": f"Bearer {token}"}
            found.add(fresh.get("/models", headers=headers).status_code)
    (only,) = found
    return only


def test_tokens_come_go_and_change(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(line("alice") + line("bob"))
    with configured(tmp_path, '[plugins.token_guard]\nfile = "tokens.toml"\n') as renewed:
        server = renewed.server
        assert [status(server, name) for name in ("alice", "bob", "carol")] == [200, 200, 401]
        tokens.write_text(line("alice", rights=["predict"]) + line("carol"))
        assert "and the files that it names; keys that changed: none" in renewed.hang_up()
        assert [status(server, name) for name in ("alice", "bob", "carol")] == [403, 401, 200]
        tokens.write_text("alice = nonsense")
        log = renewed.hang_up(REFUSED)
        assert log.count("\n") == 1
        assert "tokens.toml: " in log
        assert [status(server, name) for name in ("alice", "bob", "carol")] == [403, 401, 200]
        # A worker that replaces another has them, too.
        tokens.write_text(line("dan"))
        log = renewed.write(f"[plugins.token_guard.tokens]\n{line('dan')}")
        assert "keys that changed: plugins.token_guard" in log
        (killed, *_) = server.workers()
        kill_and_wait(killed)
        until(lambda: len(server.workers()) == 2 and killed not in server.workers())
        assert [status(server, name) for name in ("alice", "carol", "dan")] == [401, 401, 200]


def test_limits_and_log_level_change_and_what_cannot_is_said(tmp_path: Path) -> None:
    with configured(tmp_path, "") as renewed:
        server = renewed.server
        assert server.upload("vk", b"sum").status_code == 200
        log = renewed.write(
            "[server]\nport = 1\nlog_level = 'debug'\n[limits]\nmax_upload_bytes = 10\n"
            "[engine]\nthreads = 3\n",
            "at the next start",
        )
        assert "changed: server.log_level, limits.max_upload_bytes\n" in log
        assert "take effect at the next start: engine.threads\n" in log
        assert server.upload("vk", b"sum").status_code == 413
        assert "nothing was changed at SIGHUP: " in renewed.write("[server", REFUSED)
        assert "unknown key `log` - at `$.server.log`" in renewed.write(
            "[server]\nlog = 1", REFUSED
        )
        assert server.upload("vk", b"sum").status_code == 413
        assert server.stop() == 0


def test_no_request_is_lost(tmp_path: Path) -> None:
    with configured(tmp_path, "") as renewed:
        assert renewed.server.upload("vk", b"sum").status_code == 200
        with Clients(renewed.server, "vk vk vk") as clients:
            for level in ("warning", "info") * 3:
                clients.wait_for(30)
                renewed.file.write_text(f"[server]\nlog_level = '{level}'")
                renewed.server.process.send_signal(signal.SIGHUP)
            clients.wait_for(100)
        assert set(clients.statuses("vk")) == {200}
        assert renewed.server.stop() == 0


def test_a_server_that_is_still_starting_reads_it_once_it_has_started(tmp_path: Path) -> None:
    folder, told = tmp_path / "plugins", tmp_path / "told"
    folder.mkdir()
    (folder / "early.py").write_text(HANGS_UP)
    arguments = ["--plugins-dir", str(folder)]
    with fake_server(tmp_path, *INLINE, arguments=arguments, env={"TOLD": str(told)}) as server:
        # A worker that is long in starting takes it later, which the log tells instead.
        until(lambda: any(said in server.log.read_text() for said in (READ, NOT_YET)))
        assert server.stop() == 0


def test_guards_come_at_the_next_start(tmp_path: Path) -> None:
    with configured(tmp_path, "") as renewed:
        text = '[plugins.token_guard.tokens]\nalice = "a"'
        log = renewed.write(text, "at the next start")
        assert "take effect at the next start: plugins.token_guard\n" in log
        assert status(renewed.server, "b") == 200


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def served(server: RunningServer, context: ssl.SSLContext) -> bytes:
    """The certificate that a new connection gets, once it was answered."""
    parts = urlsplit(server.url)
    with (
        socket.create_connection((str(parts.hostname), int(parts.port or 0)), 30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(b"GET /models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        certificate = connection.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


@pytest.mark.parametrize("way", ["change", "SIGHUP"])
def test_certificates_are_read_again(authority: Authority, tmp_path: Path, way: str) -> None:
    first, second = authority.signed("first"), authority.signed("second")
    cert, context = tmp_path / "cert.pem", authority.client()
    cert.write_bytes(first.read_bytes())
    with configured(tmp_path, '[server]\ntls_cert = "cert.pem"\n') as renewed:
        server = renewed.server

        def change(content: bytes, expected: str) -> None:
            before = len(server.log.read_text())
            cert.write_bytes(content)
            if way == "SIGHUP":
                server.process.send_signal(signal.SIGHUP)
            until(lambda: expected in server.log.read_text()[before:])

        before = served(server, context)
        with httpx.Client(base_url=server.url, verify=context, timeout=60) as keeping:
            assert keeping.get("/models").status_code == 200
            change(b"", "has no certificate in PEM")
            assert served(server, context) == before
            change(second.read_bytes(), "read again")
            assert len({served(server, context) for _ in range(4)} - {before}) == 1
            # A connection goes on with what it began with.
            assert keeping.get("/models").status_code == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_signs_clients_certificates_changes(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    other = Authority(tmp_path, "other")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(authority.cert.read_bytes())
    ours = authority.client(authority.signed("ours", "/CN=ours"))
    theirs = authority.client(other.signed("theirs", "/CN=theirs"))
    ours.maximum_version = theirs.maximum_version = version
    settings = f"[server]\ntls_cert = '{authority.signed('server')}'\n"
    with configured(tmp_path, f"{settings}tls_client_ca = 'trusted.pem'\n") as renewed:
        served(renewed.server, ours)
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            served(renewed.server, theirs)
        trusted.write_bytes(other.cert.read_bytes())
        renewed.hang_up()
        served(renewed.server, theirs)
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            served(renewed.server, ours)


def test_a_terminal_that_hangs_up_ends_no_process(tmp_path: Path) -> None:
    """It sends the signal to all of them."""
    with fake_server(tmp_path) as server:
        assert server.upload("vk", b"sum").status_code == 200
        children = server.parent.children(recursive=True)
        before = {child.pid for child in children if "resource_tracker" not in str(child.cmdline())}
        for pid in before:
            os.kill(pid, signal.SIGHUP)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: READ in server.log.read_text())
        assert server.predict(model="vk", values=[1, 2, 3]).status_code == 200
        assert before <= {child.pid for child in server.parent.children(recursive=True)}
