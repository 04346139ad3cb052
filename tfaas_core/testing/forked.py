"""The fork servers, the model processes and the HTTP workers of a server, seen from outside."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from tfaas_core.testing.waiting import until


def fork_servers(parent: psutil.Process | None = None) -> list[psutil.Process]:
    """Those of ``parent``, or of the present process."""
    return children_named("tfaas-fork", parent or psutil.Process(os.getpid()))


def fork_server() -> psutil.Process | None:
    """The only fork server of the present process, if one runs."""
    return next(iter(fork_servers()), None)


def model_processes(parent: psutil.Process | None = None) -> list[psutil.Process]:
    """The model processes that the fork servers of ``parent`` have forked."""
    servers = fork_servers(parent)
    return [child for server in servers for child in children_named("tfaas-model", server)]


def http_workers(parent: psutil.Process) -> list[psutil.Process]:
    """Those of a server, which its worker server has forked, or it has started itself."""
    servers = children_named("tfaas-workers", parent)
    found = [each for one in (parent, *servers) for each in children_named("tfaas-worker", one)]
    return found if servers else [*{*found, *_orphaned_workers(parent)}]


def _orphaned_workers(parent: psutil.Process) -> Iterable[psutil.Process]:
    """Those whose worker server has been killed. A pipe of the parent ends in each of them."""
    pipes = _pipes(parent)
    for process in _named("tfaas-worker", psutil.process_iter()):
        if not pipes.isdisjoint(_pipes(process)):
            yield process


def _pipes(process: psutil.Process) -> set[str]:
    """Those that it has, beside its standard streams; none if it is gone."""
    found: set[str] = set()
    with suppress(OSError):
        for file in Path(f"/proc/{process.pid}/fd").iterdir():
            if int(file.name) > 2:
                found.add(os.readlink(file))
    return {name for name in found if name.startswith("pipe:")}


def children_named(name: str, parent: psutil.Process) -> list[psutil.Process]:
    """Its children that run, of this name."""
    with suppress(psutil.NoSuchProcess):
        return list(_named(name, parent.children()))
    return []


def _named(name: str, processes: Iterable[psutil.Process]) -> Iterable[psutil.Process]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.name() == name and is_alive(process):
                yield process


def kill_and_wait(process: psutil.Process) -> None:
    """Kills it, and waits for its end: until then it may be counted, asked, and even answer."""
    process.kill()
    until(lambda: _has_ended(process), what="it has ended")


def _has_ended(process: psutil.Process) -> bool:
    """Whether it holds no file and no connection any more: its last thread gives them back."""
    try:
        return not is_alive(process) and len(os.listdir(f"/proc/{process.pid}/task")) <= 1
    except FileNotFoundError:
        return True


def count_threads(process: psutil.Process) -> int:
    """Of a process that may be gone by now."""
    try:
        return int(process.num_threads())
    except psutil.NoSuchProcess:
        return 0


def count_descriptors(process: psutil.Process) -> int:
    """Of a process that may be gone by now."""
    try:
        return int(process.num_fds())
    except psutil.NoSuchProcess:
        return 0


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still runs; one that nobody has waited for yet does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
