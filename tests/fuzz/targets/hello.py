"""Hellos at the door of a host: nobody without the token is let in, whatever is said, and soon."""

from __future__ import annotations

import asyncio
import socket

from tests.fuzz.documents import msgpack_mutator
from tfaas_core.engine.shared import hello

_TOKEN = "what the fuzzer does not know"

mutate = msgpack_mutator(
    *("type", "nonce", "purpose", "session", "ticket", "key", "timeout_s", "sent_s", "proof"),
    *("worker", "model", "upload", "_Proof", "_Challenge", "_Refusal", "why"),
    head_bytes=14,
)


def check(data: bytes) -> None:
    """As the caller's side, and as the host's."""
    with asyncio.Runner() as runner:
        runner.run(_meet(data))
        runner.run(_call(data))


async def _meet(data: bytes) -> None:
    ours, theirs = _said(data)
    with ours, theirs:
        try:
            await hello.meet_caller(ours, _TOKEN)
        except (hello.RefusedError, ConnectionError):
            return
    raise AssertionError("who does not know the token was let in")


async def _call(data: bytes) -> None:
    ours, theirs = _said(data)
    with ours, theirs:
        try:
            await hello.call_host(ours, _TOKEN, hello.new_greeting("worker", "mine"))
        except (hello.RefusedError, ConnectionError):
            return
    raise AssertionError("a host that does not know the token was taken")


def _said(data: bytes) -> tuple[socket.socket, socket.socket]:
    """A socket whose other end has said all of ``data``, and says no more."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.sendall(data)
    theirs.shutdown(socket.SHUT_WR)
    return ours, theirs
