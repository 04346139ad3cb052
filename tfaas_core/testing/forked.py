"""The fork server and the model processes of the present process, seen from outside."""

from __future__ import annotations

from contextlib import suppress
from multiprocessing import forkserver, resource_tracker

import psutil


def fork_server() -> psutil.Process | None:
    """The fork server, where one runs."""
    # The standard library has no public way; this is what its own tests use.
    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    with suppress(psutil.NoSuchProcess):
        if pid is not None:
            server = psutil.Process(pid)
            return server if is_alive(server) else None
    return None


def model_processes() -> list[psutil.Process]:
    """The model processes that this process's fork server has forked."""
    server = fork_server()
    try:
        children = [] if server is None else server.children()
    except psutil.NoSuchProcess:
        return []
    return [process for process in children if is_alive(process)]


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


def stop_fork_server() -> None:
    """Ends the fork server and its tracker of resources; the next start starts them again.

    Model processes are killed, since the fork server waits for them.
    """
    for process in model_processes():
        process.kill()
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
