"""Messages on links between processes: read, and the same once sent again, or the link ends."""

from __future__ import annotations

import socket
from typing import Any

from tests.fuzz.dice import Dice
from tests.fuzz.documents import msgpack_mutator
from tfaas_core.engine.shared.messages import (
    Failed,
    Failure,
    FromProcess,
    LoadFailed,
    ToPool,
    ToProcess,
    ToWorker,
)
from tfaas_core.errors import TfaasError
from tfaas_core.processes.messages import FromWorker, ToHttpWorker
from tfaas_core.system.links.inbox import Inbox, framed

_KINDS = (ToPool, ToWorker, ToProcess, FromProcess, FromWorker, ToHttpWorker)

mutate = msgpack_mutator(
    *("type", "call", "ticket", "failure", "kind", "message", "details", "told", "answers"),
    *("status", "code", "retry_after_s", "headers", "document", "Failed", "LoadFailed", "Done"),
    *("Connected", "Counted", "LoadDone", "Happened", "Looked"),
    *("unavailable", "does_not_fit", "for_clients"),
    head_bytes=2,
)


def check(data: bytes) -> None:
    dice = Dice(data)
    kind, is_framed = dice.one_of(_KINDS), dice.one_of((False, True))
    stream = dice.rest()
    if is_framed:
        stream = len(stream).to_bytes(4, "little") + bytes(4) + stream
    for message in _received(kind, stream):
        # Once more, as it is sent: a message that could not be is none that could be read.
        assert _received(kind, framed(message)) == [message]
        if isinstance(message, Failed | LoadFailed):
            _check_failure(message.failure)


def _received(kind: Any, stream: bytes) -> list[Any]:
    """The messages that an end of a link hands over before the stream, or the link, ends."""
    inbox: Inbox[Any] = Inbox(kind, "the fuzzer")
    found: list[Any] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(stream)
        theirs.shutdown(socket.SHUT_WR)
        try:
            while inbox.receive(ours):
                pass
            found += (message for message, _ in inbox.messages)
        finally:
            inbox.close()
    return found


def _check_failure(failure: Failure) -> None:
    """A process may say what it likes of a failure: it stays an error, which can be answered."""
    error = failure.error()
    assert isinstance(error, TfaasError)
    assert isinstance(error.document(), dict)
    assert isinstance(error.headers(), dict)
