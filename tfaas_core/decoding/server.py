"""The decoder server: imports what decodes, and forks a confined process whenever it is told to.

It reads nothing that strangers send, and was started with a clean environment: what is in its
memory, a decoder can read.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import signal
import socket
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from tfaas_core.decoding.orders import ForkDecoder, Preload, ToDecoderServer
from tfaas_core.decoding.serving import do_jobs
from tfaas_core.sandbox.confine import OWN_SOCKET, Prison, confine, confine_fork_server
from tfaas_core.sandbox.libraries import Libraries
from tfaas_core.system.links.blocking_link import BlockingLink
from tfaas_core.system.lives.lifeline import LifelineEnd
from tfaas_core.system.output import logs
from tfaas_core.system.output.stdout import give_up_stdout
from tfaas_core.system.resources.descriptors import raise_limit

_NO_FILE = "/dev/null"
"""Beside libraries, a decoder reads no file."""


def begin_decoding(sock: int, lifeline: int) -> None:
    """The whole life of a decoder server, with the descriptors that it was started with."""
    end = LifelineEnd(Connection(lifeline, writable=False), "tfaas-decoders")
    end.tie("tfaas-decoders")
    # Ctrl-C reaches the whole process group; the parent decides when it goes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Nobody waits for those that have ended.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    give_up_stdout()
    _serve(BlockingLink(socket.socket(fileno=sock), ToDecoderServer, "the parent"))


def _serve(link: BlockingLink[ToDecoderServer]) -> None:
    works: dict[str, Any] = {}
    prison: Prison | None = None
    for message, descriptors in link.receive():
        match message:
            case Preload():
                logs.configure(message.log_level, message.log_format)  # type: ignore[arg-type]
                works = {work: _imported(work) for work in message.works}
                gc.freeze()
                confine_fork_server(message.cell)
                prison = Prison.of(message.cell, Libraries.imported())
            case ForkDecoder():
                assert prison is not None
                _fork(works[message.work], prison, descriptors)


def _imported(work: str) -> Any:
    module, _, name = work.partition(":")
    return getattr(importlib.import_module(module), name)


def _fork(work: Any, prison: Prison, descriptors: Sequence[int]) -> None:
    """If there is none, whoever asked for it finds its socket closed."""
    try:
        # The kernel drops those for which this process has too many files open.
        if len(descriptors) == 2 and os.fork() == 0:
            _become(work, prison, *descriptors)
    except OSError:
        traceback.print_exc()
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _become(work: Callable[..., bytes], prison: Prison, sock: int, leash: int) -> NoReturn:
    """The life of a decoder."""
    try:
        # The server's may be low at the moment, and is inherited.
        raise_limit()
        tie(leash)
        confine(prison, _NO_FILE, sock, leash, reads_proc=False)
        # From here on, nothing that it says goes anywhere but to whom it answers.
        for stream in (1, 2):
            os.dup2(0, stream)
        do_jobs(socket.socket(fileno=OWN_SOCKET), work)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def tie(leash: int) -> None:
    """From now on, the calling process is killed when nobody has the pipe's other end any more."""
    fcntl.fcntl(leash, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(leash, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(leash, fcntl.F_SETFL, fcntl.fcntl(leash, fcntl.F_GETFL) | os.O_ASYNC)
    with suppress(OSError):
        Path("/proc/self/comm").write_text("tfaas-decoder", encoding="ascii")
