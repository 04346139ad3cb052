"""What becomes of a process before it sees a stranger's model, from the first step to the last."""

from __future__ import annotations

import os
from typing import Self

import msgspec

from tfaas_core.sandbox.descriptors import keep_only
from tfaas_core.sandbox.kernel_files import hold_kernel_files
from tfaas_core.sandbox.landlock import restrict_files
from tfaas_core.sandbox.libraries import WRITABLE, Libraries, others_can_read
from tfaas_core.sandbox.limits import data_bytes, limit_resources
from tfaas_core.sandbox.privileges import (
    become,
    can_read_all,
    drop_bounds,
    drop_capabilities,
    no_new_privileges,
)
from tfaas_core.sandbox.seccomp import fork_server_filter, model_filter, restrict_calls

OWN_SOCKET, LIFELINE = 3, 4
"""The descriptors of a confined process, beside the standard streams."""


class Cell(msgspec.Struct, frozen=True):
    """How a model's process is confined.

    ``first_user``: its user is this plus its number; None: it keeps the server's. ``memory_bytes``:
    what it may take. ``files`` and ``calls``: whether the kernel can restrict them, by Landlock and
    seccomp. ``executable_pages``: whether it may make code and run it.
    """

    first_user: int | None
    memory_bytes: int
    files: bool = True
    calls: bool = True
    executable_pages: bool = True


class Prison(msgspec.Struct, frozen=True):
    """All that can be made ready before the process is forked that is confined.

    ``cell`` says how. What is made after the fork is memory that each process has for itself.
    """

    cell: Cell
    libraries: Libraries
    most_data_bytes: int
    can_read_all: bool
    filter: bytes

    @classmethod
    def of(cls, cell: Cell, libraries: Libraries) -> Self:
        """Of the present process. Raises OSError."""
        most_data_bytes = data_bytes() + cell.memory_bytes
        made = model_filter(LIFELINE, cell.executable_pages) if cell.calls else b""
        return cls(cell, libraries, most_data_bytes, can_read_all(), made)


def confine(
    prison: Prison, artifact: str, sock: int, lifeline: int, reads_proc: bool = True
) -> None:
    """Confines this process, which has one thread, for good. Raises OSError.

    ``artifact`` is the model's file or folder: all that it reads beside libraries; if it is empty,
    it reads whatever its user may. The descriptors ``sock`` and ``lifeline`` become OWN_SOCKET and
    LIFELINE; all others but the standard streams are closed. ``reads_proc``: whether it reads what
    /proc tells of itself; behind these two are the descriptors by which it holds that.
    """
    cell, libraries = prison.cell, prison.libraries
    keep_only({sock: OWN_SOCKET, lifeline: LIFELINE})
    # No session: the scheduler would give each a share of its own, whatever its priority.
    os.setpgid(0, 0)
    limit_resources(prison.most_data_bytes, cell.first_user is not None)
    no_new_privileges()
    if cell.files:
        # Before the user changes, who may be unable to find what is allowed.
        held = hold_kernel_files() if reads_proc and artifact else ()
        restrict_files((*libraries.paths, artifact, *held) if artifact else ("/",), WRITABLE)
    is_open = libraries.are_open and artifact != "" and others_can_read(artifact)
    read_all = prison.can_read_all and not is_open
    if cell.first_user is None:
        drop_capabilities(read_all)
    else:
        become(cell.first_user + os.getpid(), read_all)
    if cell.calls:
        restrict_calls(prison.filter)


def confine_fork_server(cell: Cell) -> None:
    """Confines this process as far as what it forks can still be confined by itself.

    It reads whatever its user may, writes nothing but what tells of processes, connects to nobody,
    executes nothing, and has no capabilities but to become other users, and to read their files.
    """
    no_new_privileges()
    if cell.files:
        restrict_files(("/",), (*WRITABLE, "/proc"))
    drop_bounds()
    drop_capabilities(can_read_all(), changes_user=cell.first_user is not None)
    if cell.calls:
        restrict_calls(fork_server_filter())
