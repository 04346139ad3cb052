"""What the parent and a fork server say to each other."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from tfaas_core.sandbox.confine import Cell


class Orders(msgspec.Struct, frozen=True, tag=True):
    """The parent, at first: what a new fork server is for.

    ``modules`` are to be imported. ``runtimes`` is a pickled ``Mapping[str, Runtime]``, of those
    whose models are forked from there. ``cell`` says how they are confined; None: not at all.
    ``folders``: what their libraries may be in, beside where Python installs them.
    """

    modules: tuple[str, ...]
    runtimes: bytes
    log_level: Literal["debug", "info", "warning", "error"]
    log_format: Literal["text", "json"]
    cell: Cell | None = None
    folders: tuple[str, ...] = ()


class Fork(msgspec.Struct, frozen=True, tag=True):
    """The parent, with a socket: fork a process that does ``work`` with it.

    ``work`` is a pickled function; it gets the socket and the runtimes. ``artifact`` is all that it
    may read beside libraries; if that is empty, it may read whatever its user may. A second
    descriptor is its stderr; without it, that is the fork server's. ``memory_bytes``: what it may
    take beyond what all of them share; 0: as much as any other.
    """

    call: int
    work: bytes
    artifact: str = ""
    memory_bytes: int = 0


ToForkServer: TypeAlias = Orders | Fork


class Importing(msgspec.Struct, frozen=True, tag=True):
    """A fork server: I begin to import this module."""

    module: str


class Ready(msgspec.Struct, frozen=True, tag=True):
    """A fork server: all is imported, and a fork is quick."""


class NotReady(msgspec.Struct, frozen=True, tag=True):
    """A fork server: I cannot be used, for this reason, and end."""

    reason: str
    trace: str = ""


class Forked(msgspec.Struct, frozen=True, tag=True):
    """A fork server: the process of your Fork has this number."""

    call: int
    pid: int


class CannotFork(msgspec.Struct, frozen=True, tag=True):
    """A fork server: the system has not let me fork, for this reason."""

    call: int
    reason: str


class Ended(msgspec.Struct, frozen=True, tag=True):
    """A fork server: a process ended, with this exit code; below 0, the signal that ended it."""

    pid: int
    code: int


FromForkServer: TypeAlias = Importing | Ready | NotReady | Forked | CannotFork | Ended
