"""What a decoder and its client say to each other, over a socket and memory that both have.

The client sends a job and the bytes that it is about, which are in the shared memory if they are
many; the decoder answers, and may have written there. Nothing in an answer is to be trusted.
"""

from __future__ import annotations

import mmap
import os
import socket
from collections.abc import Callable
from struct import Struct as Layout
from typing import TypeAlias

HEAD = Layout("=II")
"""Of a job: its length, and that of the bytes that it is about."""

MOST_SENT_BYTES = 1 << 15
"""More than that is in the shared memory, from its beginning."""

MOST_MESSAGE_BYTES = 1 << 16

PID = Layout("=I")
"""What a decoder says first, before it has read anything: its process id."""

Decoding: TypeAlias = Callable[[bytes, memoryview, mmap.mmap], bytes]
"""Answers a job about bytes, and may then write into the shared memory, where these may be."""


def do_jobs(sock: socket.socket, work: Decoding) -> None:
    """Does jobs until the other side is gone. ``sock`` keeps messages apart."""
    sock.sendall(PID.pack(os.getpid()))
    _, (descriptor,), _, _ = socket.recv_fds(sock, 1, 1)
    shared = mmap.mmap(descriptor, 0)
    os.close(descriptor)
    while message := sock.recv(MOST_MESSAGE_BYTES):
        job_bytes, data_bytes = HEAD.unpack_from(message)
        data_at = HEAD.size + job_bytes
        place = memoryview(message)[data_at:] if len(message) > data_at else memoryview(shared)
        sock.send(work(message[HEAD.size : data_at], place[:data_bytes].toreadonly(), shared))
