"""A door that takes TLS, and callers with the right certificates, wrong ones, and none."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import uvloop

from tests.certificates import Authority
from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.in_front.dialling import FarDoor, HostAwayError
from tfaas_core.engine.shared import hello
from tfaas_core.engine.shared.door_tls import CallerTls, HostTls
from tfaas_core.system.network.tls import TlsFiles
from tfaas_core.testing.engine_harness import is_sum, rows_of, started
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.suites.engine.door import TOKEN, DoorFactory, TestHost
from tfaas_core.testing.waiting import eventually


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


def files_of(cert: Path, client_ca: Path | None = None) -> TlsFiles:
    return TlsFiles(cert, cert, client_ca, "engine.remote")


class ChangedAsTheyAreRead(TlsFiles, frozen=True):
    """Each time, ``after`` stands in the place of ``cert`` then."""

    after: Path | None = None

    def context(self, protocols: Sequence[str] = ()) -> ssl.SSLContext:
        context = super().context(protocols)
        assert self.after is not None
        replace(self.cert, self.after.read_bytes())
        return context


def caller(ca: Path, cert: Path | None = None) -> CallerTls:
    return CallerTls(ca, "$.engine.remote.tls_ca", None if cert is None else files_of(cert))


@asynccontextmanager
async def door(files: TlsFiles | None) -> AsyncIterator[TestHost]:
    tls = None if files is None else HostTls(files)
    host = TestHost(EngineContext(load_config(None, (), {}), {}, 1), tls=tls)
    host.door.start()
    try:
        yield host
    finally:
        await host.close()


async def is_let_in(host: TestHost, tls: CallerTls | None) -> bool:
    greeting = hello.new_greeting("worker", hello.new_nonce().hex())
    try:
        with await FarDoor(host.address, TOKEN, 30.0, tls).dial(greeting):
            return True
    finally:
        if tls is not None:
            tls.close()


async def refused(host: TestHost, tls: CallerTls | None) -> str:
    with pytest.raises(HostAwayError) as error:
        await is_let_in(host, tls)
    return error.value.message


class TestTheDoorOfAHost:
    @in_event_loop
    async def test_who_trusts_the_host_is_let_in_and_who_does_not_says_so(
        self, authority: Authority, stranger: Authority, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with door(files_of(authority.signed("host"))) as host:
            assert await is_let_in(host, caller(authority.cert))
            why = await refused(host, caller(stranger.cert))
            assert f"host {host.address} (engine.remote.hosts) shows a certificate that" in why
            assert "unable to get local issuer certificate; see engine.remote.tls_ca" in why
            assert await is_let_in(host, caller(authority.cert))
            said = "it refuses the certificate of this machine: unknown ca"
            await eventually(lambda: said in caplog.text, "the host says so, too")

    @in_event_loop
    async def test_a_certificate_that_has_expired_or_is_of_another_host_is_refused(
        self, authority: Authority
    ) -> None:
        async with door(files_of(authority.signed("old", days=-1))) as host:
            assert "certificate has expired" in await refused(host, caller(authority.cert))
        key = authority.cert.with_suffix(".key")
        async with door(TlsFiles(authority.cert, key, table="engine.remote")) as host:
            assert "not valid for '127.0.0.1'" in await refused(host, caller(authority.cert))

    @in_event_loop
    async def test_callers_show_certificates_if_they_are_asked_for_them(
        self, authority: Authority, stranger: Authority, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with door(files_of(authority.signed("host"), authority.cert)) as host:
            own, foreign = authority.signed("server", "/CN=server"), stranger.signed("server")
            assert await is_let_in(host, caller(authority.cert, own))
            why = await refused(host, caller(authority.cert))
            assert "refuses the certificate of this machine: certificate required" in why
            why = await refused(host, caller(authority.cert, foreign))
            assert "refuses the certificate of this machine: unknown ca" in why
        assert "it shows no certificate, and engine.remote.tls_client_ca asks for" in caplog.text

    @in_event_loop
    async def test_plain_callers_and_tls_at_a_plain_door_are_told_what_to_set(
        self, authority: Authority, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with door(files_of(authority.signed("host"))) as host:
            why = await refused(host, None)
            assert "the host takes TLS alone: engine.remote.tls_ca has to be set" in why
        assert "the host takes TLS alone" in caplog.text
        async with door(None) as host:
            assert "speaks no TLS" in await refused(host, caller(authority.cert))
        assert "the host takes no TLS: set engine.remote.tls_cert there" in caplog.text

    @in_event_loop
    async def test_files_that_have_changed_hold_for_the_next_connection(
        self, authority: Authority, stranger: Authority, tmp_path: Path
    ) -> None:
        cert = tmp_path / "host.pem"
        cert.write_bytes(authority.signed("host").read_bytes())
        async with door(files_of(cert)) as host:
            assert await is_let_in(host, caller(authority.cert))
            replace(cert, b"half of a change")
            assert await is_let_in(host, caller(authority.cert))
            replace(cert, stranger.signed("host").read_bytes())
            assert await is_let_in(host, caller(stranger.cert))

    @in_event_loop
    async def test_files_that_change_while_they_are_read_are_read_again(
        self, authority: Authority, stranger: Authority, tmp_path: Path
    ) -> None:
        cert = tmp_path / "host.pem"
        cert.write_bytes(authority.signed("host").read_bytes())
        files = ChangedAsTheyAreRead(cert, cert, None, "engine.remote", stranger.signed("host"))
        async with door(files) as host:
            assert await is_let_in(host, caller(stranger.cert))

    @in_event_loop
    async def test_who_hangs_up_at_once_is_not_taken_for_one_without_tls(
        self, authority: Authority, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with door(files_of(authority.signed("host"))) as host:
            address, _colon, port = host.address.rpartition(":")
            socket.create_connection((address, int(port))).close()
            said = "the other side hung up amid the hello"
            await eventually(lambda: said in caplog.text, "the host says so")


class TestTheDoorForAWorker(TestTheDoorOfAHost):
    """The same in the event loop that HTTP workers have."""

    loop_factory = uvloop.new_event_loop


@in_event_loop
async def test_models_are_uploaded_and_run_through_it(authority: Authority, tmp_path: Path) -> None:
    cert = authority.signed("host")
    factory, settings = DoorFactory(), ["engine.isolation=model", "engine.max_queue_rows=100_000"]
    factory.tls = files_of(cert, authority.cert), caller(authority.cert, cert)
    async with started(factory, tmp_path, settings) as harness:
        version = await harness.worker.upload("vk", "sum")
        # More than the buffers of both sockets take, to and fro.
        many = np.tile(rows_of(*range(1000)), (50, 1))
        few = [rows_of(number) for number in range(20)]
        answers = await asyncio.gather(
            *[harness.worker.run(version, each) for each in (many, *few)]
        )
        assert all(is_sum(*pair) for pair in zip(answers, (many, *few), strict=True))


def replace(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, path)
