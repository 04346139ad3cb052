"""The process that ``zygote.py`` starts: it imports, and forks for each order that comes.

It knows nothing of the tests, and has one thread, none of their modules, and no TensorFlow.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import multiprocessing.process
import os
import resource
import runpy
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any

_MODULES = ("tfaas_core.cli.threads", "tfaas_core.processes.server")
_COMMANDS = (["config"], ["plugins"])
"""These import most of what others do, too."""


def main() -> None:
    """Goes on as a command in each fork, and as nothing else."""
    del sys.path[0]
    for name in (*_MODULES, *_imported_by_commands()):
        with suppress(ImportError):  # some are known by names that cannot be imported
            importlib.import_module(name)
    assert len(os.listdir("/proc/self/task")) == 1, "threads do not go on in forks"
    assert "tensorflow" not in sys.modules
    # What is there without PYTHONPATH, which may be another one for a command.
    installed = [folder for folder in sys.path if folder not in _python_path(os.environ)]
    with socket.socket(fileno=int(sys.argv[1])) as sock:
        names = sorted({name.partition(".")[0] for name in sys.modules})
        sock.sendall(json.dumps({"path": sys.path, "names": names}).encode() + b"\n")
        gc.collect()
        gc.freeze()
        order, streams = _next_order(sock)
        for own, stream in enumerate(streams):
            os.dup2(stream, own)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    _become(order, installed)
    runpy._run_module_as_main("tfaas_core")  # type: ignore[attr-defined]


def _imported_by_commands() -> list[str]:
    """The modules of a process that has run commands; they may have left more than modules."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        from tfaas_core.cli import main as command

        for arguments in _COMMANDS:
            command(arguments)
        with os.fdopen(writing, "w") as names:
            print(*sys.modules, sep="\n", file=names)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as names:
        found = names.read().split()
    os.wait()
    return found


def _next_order(sock: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Returns in each fork, with its order and its streams. In the zygote, it does not."""
    while True:
        head, streams, _, _ = socket.recv_fds(sock, 8, 3)
        if not head:
            os._exit(0)
        order = json.loads(sock.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))
        reading, writing = os.pipe()
        between = os.fork()
        if between == 0:
            _fork_again(writing)
            return order, streams
        os.waitpid(between, 0)
        sock.sendall(os.read(reading, 100))
        for descriptor in (*streams, reading, writing):
            os.close(descriptor)


def _fork_again(writing: int) -> None:
    """Returns in a child that the process of the tests has adopted."""
    between = os.getpid()
    if pid := os.fork():
        os.write(writing, b"%d\n" % pid)
        os._exit(0)
    while os.getppid() == between:
        os.sched_yield()


def _become(order: dict[str, Any], installed: list[str]) -> None:
    """What a new interpreter would be before it runs the module."""
    if order["new_session"]:
        os.setsid()
    resource.setrlimit(resource.RLIMIT_NOFILE, order["files"])
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.path[:] = [os.getcwd(), *dict.fromkeys([*_python_path(os.environ), *installed])]
    sys.orig_argv[:] = order["arguments"]
    sys.argv[:] = ["-m", *order["arguments"][3:]]
    sys.modules["__main__"] = ModuleType("__main__")
    # Where a process was when it imported this.
    multiprocessing.process.ORIGINAL_DIR = os.getcwd()  # type: ignore[attr-defined]
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _stream(descriptor, getattr(sys, name))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _stream(descriptor: int, zygotes: io.TextIOWrapper) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w" if descriptor else "r", closefd=False)
    # With PYTHONUNBUFFERED, nothing is kept.
    is_kept = not (descriptor and zygotes.write_through)
    kind = io.BufferedWriter if descriptor else io.BufferedReader
    return io.TextIOWrapper(
        kind(raw) if is_kept else raw,
        encoding=zygotes.encoding,
        errors=zygotes.errors,
        newline="\n",
        line_buffering=not zygotes.write_through and (descriptor == 2 or raw.isatty()),
        write_through=zygotes.write_through,
    )


def _python_path(environ: Mapping[str, str]) -> list[str]:
    return [folder for folder in environ.get("PYTHONPATH", "").split(os.pathsep) if folder]


if __name__ == "__main__":
    main()
