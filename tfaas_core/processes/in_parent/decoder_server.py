"""DecoderServer: the process that decoders are forked from, as the parent sees it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress

from tfaas_core.decoding.orders import ForkDecoder, Preload
from tfaas_core.decoding.uses import UsesDecoders
from tfaas_core.sandbox.confine import Cell
from tfaas_core.sandbox.environment import clean_environment
from tfaas_core.sandbox.parts import Parts
from tfaas_core.system.links.inbox import framed
from tfaas_core.system.lives.lifeline import Lifeline
from tfaas_core.system.lives.signals import stop_signals_blocked
from tfaas_core.system.lives.stopped import state_of
from tfaas_core.wiring.composition import Composition

_CODE = "from tfaas_core.decoding.server import begin_decoding; begin_decoding({}, {})"
_QUIET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""A process with several threads cannot be forked safely."""

_STOPPED = "T"

_KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": f"{8 << 20}", "MALLOC_TRIM_THRESHOLD_": f"{16 << 20}"}
"""Else the C library gives back, and the kernel clears, some megabytes for each picture."""


class DecoderServer:
    """Started once somebody needs a decoder, and again if it has died. All methods block shortly.

    They raise OSError if there is no room for a process, or for descriptors.
    """

    def __init__(self, composition: Composition) -> None:
        self._config = composition.config
        self._users = [c for c in composition.codecs.values() if isinstance(c, UsesDecoders)]
        self._lifeline: Lifeline | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """None: it does not run."""
        return (
            None if self._process is None or self._process.poll() is not None else self._process.pid
        )

    def open(self, work: str) -> tuple[socket.socket, int]:
        """A new decoder: its socket, and the descriptor that keeps it alive."""
        if work not in {user.decoding for user in self._users}:
            raise OSError(f"nothing here is decoded by {work!r}")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        leash, end = os.pipe()[::-1]
        try:
            self._tell(work, theirs.fileno(), end)
        except BaseException:
            ours.close()
            os.close(leash)
            raise
        finally:
            theirs.close()
            os.close(end)
        return ours, leash

    def close(self) -> None:
        """Ends it, and all decoders with the workers that have them."""
        if self._lifeline is not None:
            self._lifeline.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._sock is not None:
            self._sock.close()
        self._process = self._sock = self._lifeline = None

    def _tell(self, work: str, *descriptors: int) -> None:
        message = framed(ForkDecoder(work), descriptors)
        if self.pid is None or state_of(self.pid) == _STOPPED:
            self.close()
        sock = self._sock or self._start()
        socket.send_fds(sock, [message], descriptors)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        self._lifeline = lifeline = Lifeline()
        end = lifeline.end("tfaas-decoders")
        passed = theirs.fileno(), end.fileno()
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
        environment = {**_KEEPS_MEMORY, **clean_environment(os.environ, ()), **_QUIET}
        warnings = [f"-W{option}" for option in sys.warnoptions]
        with theirs, stop_signals_blocked():
            self._process = subprocess.Popen(
                [sys.executable, "-P", *warnings, "-c", _CODE.format(*passed)],
                env={**environment, "PYTHONPATH": path},
                pass_fds=passed,
                stdin=subprocess.DEVNULL,
            )
        # Whoever waits for a decoder does so for a while only; the parent, not at all.
        ours.setblocking(False)
        self._sock = ours
        with suppress(BrokenPipeError):
            ours.sendall(framed(self._orders()))
        return ours

    def _orders(self) -> Preload:
        server, engine = self._config.server, self._config.engine
        present = Parts.of_this_machine(engine.first_model_user).present
        cell = Cell(
            engine.first_model_user if "user" in present else None,
            files="files" in present,
            calls="calls" in present,
            memory_bytes=max(user.decoding_memory_bytes for user in self._users),
            executable_pages=False,
        )
        works = tuple(dict.fromkeys(user.decoding for user in self._users))
        return Preload(works, cell, server.log_level, server.log_format)
