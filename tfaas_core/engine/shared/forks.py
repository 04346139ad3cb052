"""What the parent and a fork server say to each other."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Fork(msgspec.Struct, frozen=True, tag=True):
    """The parent, with one descriptor, a socket: fork a process that does ``work`` with it.

    ``work`` is a pickled function; it gets the socket and the runtimes.
    """

    call: int
    work: bytes


ToForkServer: TypeAlias = Fork


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
