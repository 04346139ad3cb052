"""A zygote: a process that has imported what commands of ``tfaas`` import, and forks for each.

Tests start commands and servers a thousand times, and most of what one of them takes of a core is
to import the same modules again. A fork of a process that has them does the same as ``python -m
tfaas_core`` from there on, but that all of them share the seed of Python's hashes. Arguments,
environment, folder, streams, session, signals and status are its own, and it is a child of the
process of the tests.

A test of what only a new interpreter does is marked ``fresh_python``. What a fork would do in
another way is started anew, too: with a plugin that has the name of a module that is there already,
another account, other limits, or descriptors beside the three streams.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "tfaas_core"]
"""What is forked for begins like this."""

_ROOT = Path(__file__).parents[1]
_PR_SET_CHILD_SUBREAPER = 36
_OF_INTERPRETER = re.compile("PYTHON(?!PATH$)|LD_|LC_|LANG|TZ|MALLOC_|GLIBC_")
"""Variables that are read once, before a command begins. Those that say how many threads numpy may
have are left out: in a fork it has one, whatever they say."""
_INHERITED = re.compile(
    "^(Umask|Uid|Gid|Groups|SigBlk|SigIgn|CapEff|CapBnd|NoNewPrivs|Seccomp|Cpus_allowed):.*", re.M
)
_EXECUTE, _CLOSE = "_execute_child", "_close_pipe_fds"
"""Of Popen, which has no public seam there."""
_GIVEN = [*inspect.signature(getattr(subprocess.Popen, _EXECUTE)).parameters][1:]
_USUAL = {
    **{"executable": None, "preexec_fn": None, "close_fds": True, "pass_fds": (), "shell": False},
    **{"restore_signals": True, "gid": None, "gids": None, "uid": None, "umask": -1},
    **{"process_group": -1},
}


class Zygote:
    """Started by the first command. It ends with the process of the tests."""

    def __init__(self) -> None:
        self.is_wanted, self.forks = True, 0
        self._owner = os.getpid()
        self._lock = threading.Lock()
        # numpy's other threads would not go on in a fork.
        self._environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process: subprocess.Popen[bytes] | None = None
        self._inherited = _inherited()
        self._variables = _variables(os.environ)
        self._python_path = _python_path(os.environ)

    def fork(self, how: Mapping[str, Any]) -> int | None:
        """The process id of a command, started as Popen was told; None: a fork will not do."""
        if not self.is_wanted or os.getpid() != self._owner or not _is_plain(how):
            return None
        environ = dict(os.environ if how["env"] is None else how["env"])
        folder = os.path.abspath(how["cwd"] or "")
        path = [folder, *_python_path(environ)]
        as_before = (_inherited(), _variables(environ)) == (self._inherited, self._variables)
        if not as_before or not {*self._python_path} <= {*path}:
            return None
        order = {
            "arguments": [os.fspath(argument) for argument in how["args"]],
            **{"environ": environ, "folder": folder, "python_path": path[1:]},
            "new_session": how["start_new_session"],
            "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        }
        with self._lock:
            if self._process is None:
                self._start()
            return None if self._hides_any(path) else self._forked(order, _streams(how))

    def close(self) -> None:
        """Ends it; its forks go on."""
        if self._process is not None and os.getpid() == self._owner:
            self._sock.shutdown(socket.SHUT_RDWR)
            self._process.wait()

    def _start(self) -> None:
        self._sock, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                # Not as a script, after which the interpreter ends in another way.
                [sys.executable, "-m", "tests.zygote_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=self._environ,
                cwd=_ROOT,
            )
        self._answers = self._sock.makefile("rb")
        told = json.loads(self._answers.readline())
        self._path, self._names = set(told["path"]), set(told["names"])

    def _hides_any(self, path: list[str]) -> bool:
        """Whether a new interpreter would find something else than what is imported already."""
        others = [folder for folder in path if folder not in self._path and os.path.isdir(folder)]
        return any(not self._names.isdisjoint(_modules_in(folder)) for folder in others)

    def _forked(self, order: Mapping[str, Any], streams: tuple[int, int, int]) -> int:
        text = json.dumps(order).encode()
        with _adopting():
            socket.send_fds(self._sock, [len(text).to_bytes(8, "big")], streams)
            self._sock.sendall(text)
            pid = int(self._answers.readline())
        self.forks += 1
        return pid


@contextmanager
def forking(zygote: Zygote) -> Iterator[None]:
    """Popen, and all that uses it, has ``zygote`` fork for commands."""

    class Popen(subprocess.Popen):  # type: ignore[type-arg]
        def _execute_child(self, *given: Any) -> None:
            how = dict(zip(_GIVEN, given, strict=True))
            pid = zygote.fork(how)
            if pid is None:
                getattr(super(), _EXECUTE)(*given)
                return
            self.pid, self._child_created = pid, True
            ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
            getattr(self, _CLOSE)(*map(how.get, ends))

    real = subprocess.Popen
    subprocess.Popen = Popen  # type: ignore[misc]
    try:
        yield
    finally:
        subprocess.Popen = real  # type: ignore[misc]
        zygote.close()


def _is_plain(how: Mapping[str, Any]) -> bool:
    args = how["args"]
    is_command = isinstance(args, list | tuple) and [*args[: len(COMMAND)]] == COMMAND
    return is_command and all(how[name] == value for name, value in _USUAL.items())


def _modules_in(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name, _, suffix = entry.name.partition(".")
            if suffix.endswith(("py", "pyc", "so")) or os.path.exists(f"{entry.path}/__init__.py"):
                yield name


def _streams(how: Mapping[str, Any]) -> tuple[int, int, int]:
    given = how["p2cread"], how["c2pwrite"], how["errwrite"]
    first, second, third = (own if fd == -1 else fd for own, fd in enumerate(given))
    return first, second, third


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if _OF_INTERPRETER.match(name)}


def _python_path(environ: Mapping[str, str]) -> list[str]:
    return [folder for folder in environ.get("PYTHONPATH", "").split(os.pathsep) if folder]


def _inherited() -> tuple[str, ...]:
    """What a process has of the one that starts it, beside what Popen is told."""
    status = Path("/proc/self/status").read_text()
    # A command that was run in this process may have raised that of open files.
    limits = re.sub("Max open files.*", "", Path("/proc/self/limits").read_text())
    return (
        *(found[0] for found in _INHERITED.finditer(status)),
        limits,
        os.readlink("/proc/self/ns/net"),
    )


@contextmanager
def _adopting() -> Iterator[None]:
    """A process whose parent ends is a child of this one."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0)
