"""What becomes of a process before it sees a stranger's model, from the first step to the last."""

from __future__ import annotations

import os

import msgspec

from tfaas_core.sandbox.descriptors import keep_only
from tfaas_core.sandbox.landlock import restrict_files
from tfaas_core.sandbox.libraries import WRITABLE, Libraries, others_can_read
from tfaas_core.sandbox.limits import limit_resources
from tfaas_core.sandbox.privileges import become, drop_capabilities, no_new_privileges
from tfaas_core.sandbox.seccomp import restrict_calls, restrict_calls_of_fork_server

OWN_SOCKET, LIFELINE = 3, 4
"""The descriptors of a confined process, beside the standard streams."""


class Cell(msgspec.Struct, frozen=True):
    """How a model's process is confined.

    ``first_user``: its user is this plus its number; None: it keeps the server's. ``files`` and
    ``calls``: whether the kernel can restrict them, by Landlock and seccomp. ``memory_bytes``: what
    it may take; 0: what the machine has. ``executable_pages``: whether it may make code and run it.
    """

    first_user: int | None
    files: bool = True
    calls: bool = True
    memory_bytes: int = 0
    executable_pages: bool = True


def confine(cell: Cell, libraries: Libraries, artifact: str, sock: int, lifeline: int) -> None:
    """Confines this process, which has one thread, for good. Raises OSError.

    ``artifact`` is the model's file or folder: all that it reads beside libraries; if it is empty,
    it reads whatever its user may. The descriptors ``sock`` and ``lifeline`` become OWN_SOCKET and
    LIFELINE; all others but the standard streams are closed.
    """
    reads = (*libraries.paths, artifact) if artifact else ("/",)
    keep_only({sock: OWN_SOCKET, lifeline: LIFELINE})
    os.setsid()
    limit_resources(cell.memory_bytes, cell.first_user is not None)
    no_new_privileges()
    if cell.files:
        # Before the user changes, who may be unable to find what is allowed.
        restrict_files(reads, WRITABLE)
    is_open = libraries.are_open and artifact != "" and others_can_read(artifact)
    if cell.first_user is None:
        drop_capabilities(read_all=not is_open)
    else:
        become(cell.first_user + os.getpid(), read_all=not is_open)
    if cell.calls:
        restrict_calls(LIFELINE, cell.executable_pages)


def confine_fork_server(cell: Cell) -> None:
    """Confines this process as far as what it forks can still be confined by itself.

    It reads whatever its user may, writes nothing but what tells of processes, connects to nobody,
    executes nothing, and has no capabilities but to become other users, and to read their files.
    """
    no_new_privileges()
    if cell.files:
        restrict_files(("/",), (*WRITABLE, "/proc"))
    drop_capabilities(read_all=True, changes_user=cell.first_user is not None)
    if cell.calls:
        restrict_calls_of_fork_server()
