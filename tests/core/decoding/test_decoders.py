"""Decoders do their work, are stopped in all else, and are replaced."""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import psutil
import pytest

from tests.core.decoding.hostile_work import WORK
from tests.core.sandbox.attacks import ATTACKS
from tests.core.sandbox.test_confine import needs_all, targets
from tfaas_core.codec import Codec
from tfaas_core.config import load_config
from tfaas_core.decoding.decoder import ANSWER_S, Decoder, Decoders
from tfaas_core.decoding.serving import MOST_SENT_BYTES
from tfaas_core.decoding.uses import UsesDecoders
from tfaas_core.errors import Unavailable
from tfaas_core.processes.in_parent.decoder_server import DecoderServer
from tfaas_core.system.lives.stopped import state_of
from tfaas_core.testing.forked import is_alive
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import until
from tfaas_core.wiring.composition import Composition

_SHARED_BYTES = 8 << 20


class _User(UsesDecoders):
    decoding = WORK
    decoding_shared_bytes = _SHARED_BYTES
    decoding_memory_bytes = 64 << 20

    def use(self, decoders: Decoders) -> None:
        raise NotImplementedError


@asynccontextmanager
async def decoding(timeout_s: float = ANSWER_S) -> AsyncIterator[tuple[DecoderServer, Decoders]]:
    """A decoder server, and the decoders of one HTTP worker, one of which is idle."""
    codecs: dict[str, Codec[Any]] = {"hostile": _User()}  # type: ignore[dict-item]
    composition = Composition.of(load_config(None, (), {}))
    server = DecoderServer(msgspec.structs.replace(composition, codecs=codecs))

    async def opened(work: str) -> Any:
        return server.open(work)

    decoders = Decoders(WORK, opened, _SHARED_BYTES, timeout_s)
    try:
        assert await ask(decoders, "copy", b"abc") == "3"
        yield server, decoders
    finally:
        decoders.close()
        server.close()


async def ask(decoders: Decoders, job: str, data: bytes = b"") -> str:
    """Asks in a thread, as all who ask do."""

    def read(told: bytes, _decoder: Decoder) -> str:
        return told.decode()

    return await asyncio.to_thread(decoders.ask, job.encode(), data, "the picture", read)


async def ask_together(decoders: Decoders, count: int) -> list[str]:
    """Asks so many at once: none is idle again before all have answered."""
    all_answered = threading.Barrier(count)

    def read(told: bytes, _decoder: Decoder) -> str:
        all_answered.wait(60)
        return told.decode()

    asked = (
        asyncio.to_thread(decoders.ask, b"copy", b"abc", "the picture", read) for _ in range(count)
    )
    return await asyncio.gather(*asked)


def processes(server: DecoderServer) -> list[psutil.Process]:
    return list(psutil.Process(server.pid).children())


@needs_all
@in_event_loop
async def test_every_attack_of_a_decoder_is_stopped() -> None:
    async with decoding() as (_server, decoders):
        with targets() as found:
            sent = msgspec.json.encode(found)
            # By then it has one of its own: the memory that it shares.
            for name in sorted(ATTACKS.keys() - {"use_a_descriptor_of_the_server"}):
                told = await ask(decoders, f"attack {name}", sent)
                is_open = name == "slow_the_server_down" and os.geteuid() != 0
                assert told.startswith("stopped by ") or is_open, f"{name} {told}"


@in_event_loop
async def test_it_has_one_thread_no_file_of_the_server_and_a_clean_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    async with decoding() as (server, decoders):
        assert "DATABASE_PASSWORD" not in (await ask(decoders, "environment")).split()
        (process,) = processes(server)
        assert process.num_threads() == 1
        assert psutil.Process(server.pid).num_threads() == 1
        opened = {number: os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)}
        assert set(opened.values()) == {"/dev/null"}
        # Its socket, its leash, and the memory that it shares.
        assert process.num_fds() == 6


@pytest.mark.parametrize("size", [0, 10, 1 << 15, (1 << 15) + 1, 6 << 20])
@in_event_loop
async def test_small_and_large_pictures_come_whole_and_go_whole(size: int) -> None:
    data = os.urandom(size)

    def read(told: bytes, decoder: Decoder) -> bool:
        return told == str(size).encode() and decoder.shared[:size] == data

    async with decoding() as (_server, decoders):
        for _ in range(3):
            assert await asyncio.to_thread(decoders.ask, b"copy", data, "the picture", read)


@pytest.mark.parametrize(
    ("job", "timeout_s", "how", "started"),
    [("crash", ANSWER_S, "ended", 2), ("hang", 1, "took too long", 1)],
)
@in_event_loop
async def test_who_crashes_or_hangs_is_replaced_and_one_picture_is_a_503(
    job: str, timeout_s: float, how: str, started: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with decoding(timeout_s) as (server, decoders):
        (before,) = processes(server)
        with pytest.raises(Unavailable, match=f"the process that decoded the picture {how}"):
            await ask(decoders, job)
        # A hanging one is killed at once.
        await asyncio.to_thread(until, lambda: not before.is_running())
        assert await ask(decoders, "copy", b"abc") == "3"
    # Whether somebody had killed it, another one had to show.
    assert len(caplog.messages) == started


@in_event_loop
async def test_however_many_idle_ones_were_killed_nobody_notices() -> None:
    async with decoding() as (server, decoders):
        assert await ask_together(decoders, 4) == ["3"] * 4
        idle = processes(server)
        assert len(idle) == 4
        for process in idle:
            process.kill()
        for _ in range(5):
            assert await ask(decoders, "copy", b"abc") == "3"


@in_event_loop
async def test_one_that_stays_stopped_is_replaced_and_its_picture_is_decoded_by_another() -> None:
    async with decoding() as (server, decoders):
        (stopped,) = processes(server)
        stopped.suspend()
        assert await ask(decoders, "copy", b"abc") == "3"
        await asyncio.to_thread(until, lambda: not stopped.is_running())


@in_event_loop
async def test_while_one_is_stopped_the_event_loop_goes_on_and_others_decode() -> None:
    async with decoding() as (server, decoders):
        (stopped,) = processes(server)
        stopped.suspend()
        both = {asyncio.create_task(ask(decoders, "copy", b"abc")) for _ in range(2)}
        answered, waiting = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        assert [await each for each in answered] == ["3"]
        assert await ask(decoders, "copy", b"abcd") == "4"
        assert [each.done() for each in waiting] == [False]
        stopped.resume()
        assert [await each for each in waiting] == ["3"]


@in_event_loop
async def test_the_event_loop_never_asks_itself() -> None:
    async with decoding() as (_server, decoders):
        with pytest.raises(RuntimeError, match="does not wait"):
            decoders.ask(b"copy", b"abc", "the picture", lambda told, _decoder: told)


@in_event_loop
async def test_an_answer_that_is_too_long_is_cut_off() -> None:
    async with decoding() as (_server, decoders):
        assert len(await ask(decoders, "flood")) == 1 << 16
        assert await ask(decoders, "copy", b"abc") == "3"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
@in_event_loop
async def test_the_server_is_started_again_when_it_died_or_was_stopped(how: signal.Signals) -> None:
    async with decoding() as (server, decoders):
        before = server.pid
        assert before is not None
        psutil.Process(before).send_signal(how)
        await asyncio.to_thread(until, lambda: server.pid is None or state_of(before) == "T")
        # One more than there are.
        assert await ask_together(decoders, 2) == ["3"] * 2
        assert server.pid not in (None, before)


@pytest.mark.parametrize("spare", [0, 1])
@in_event_loop
async def test_a_server_without_descriptors_lives_on(spare: int) -> None:
    async with decoding() as (server, decoders):
        before = psutil.Process(server.pid)
        (idle,) = processes(server)
        soft, hard = before.rlimit(psutil.RLIMIT_NOFILE)
        taken = {int(name) for name in os.listdir(f"/proc/{before.pid}/fd")}
        free = [number for number in range(len(taken) + 2) if number not in taken]
        before.rlimit(psutil.RLIMIT_NOFILE, (free[spare], hard))
        idle.kill()
        with pytest.raises(Unavailable, match="cannot be decoded at the moment; try again"):
            await ask(decoders, "copy", b"abc")
        before.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))
        assert await ask(decoders, "copy", b"abc") == "3"
        assert server.pid == before.pid


@in_event_loop
async def test_all_end_with_whom_they_work_for() -> None:
    async with decoding() as (server, _decoders):
        found = processes(server)
        assert found
    for process in found:
        until(lambda: not is_alive(process))  # noqa: B023


def test_memory_that_is_not_there_is_an_error_and_no_end() -> None:
    """Otherwise a SIGBUS would end the HTTP worker."""
    sock, other = socket.socketpair()
    decoder = Decoder(sock, os.open(os.devnull, os.O_RDONLY), os.getpid(), _SHARED_BYTES, ANSWER_S)
    with other:
        descriptor = os.memfd_create("cut")
        os.ftruncate(descriptor, _SHARED_BYTES)
        decoder.shared = mmap.mmap(descriptor, _SHARED_BYTES)
        os.ftruncate(descriptor, 0)
        with pytest.raises(MemoryError):
            decoder.ask(b"", bytes(MOST_SENT_BYTES + 1))
        with pytest.raises(MemoryError):
            decoder.wrote(1)
        decoder.close()
    os.close(descriptor)
