"""What the parent and its HTTP workers say to each other. Engines have a link of their own."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from tfaas_core.events import ModelEvent
from tfaas_core.status import Fitness, ServerStatus
from tfaas_core.system.links.link import Answer


class Serving(msgspec.Struct, frozen=True, tag=True):
    """A worker: I answer requests. ``hears_events``: whether observers here want to be told."""

    hears_events: bool = False


class CannotStart(msgspec.Struct, frozen=True, tag=True):
    """A worker: starting again will not help, for this reason."""

    message: str


class Notice(msgspec.Struct, frozen=True, tag=True):
    """A worker: show this line to whoever started the server."""

    line: str


class Announce(msgspec.Struct, frozen=True, tag=True):
    """A worker: I have changed this name in the storage; tell everyone."""

    call: int
    name: str


class Announced(Answer, frozen=True, tag=True):
    """The parent: everyone has taken note of your Announce, or will, being slow or cut off."""


class Refresh(msgspec.Struct, frozen=True, tag=True):
    """The parent: look up this name in the storage again; empty: all of them."""

    call: int
    name: str


class Refreshed(Answer, frozen=True, tag=True):
    """A worker: I have taken note of your Refresh; or, if I could not read the storage, not."""

    could: bool


class Renew(msgspec.Struct, frozen=True, tag=True):
    """The parent: take what can change of this Config, which is pickled."""

    call: int
    config: bytes


class Renewed(Answer, frozen=True, tag=True):
    """A worker: I have done as your Renew says; or I keep what I had, and have logged why."""

    could: bool


class Drain(msgspec.Struct, frozen=True, tag=True):
    """The parent: take no new connection, answer what you have, and end."""


class Ping(msgspec.Struct, frozen=True, tag=True):
    """The parent: does your event loop go on? And this is how the server is."""

    fitness: Fitness


class Pong(msgspec.Struct, frozen=True, tag=True):
    """A worker: it does."""


class Look(msgspec.Struct, frozen=True, tag=True):
    """A worker: how is the server?"""

    call: int


class Looked(Answer, frozen=True, tag=True):
    """The parent: this is how it is."""

    status: ServerStatus


class NeedDecoder(msgspec.Struct, frozen=True, tag=True):
    """A worker: I need a decoder for this work."""

    call: int
    work: str


class HaveDecoder(msgspec.Struct, frozen=True, tag=True):
    """The parent: here are its socket, and what keeps it alive; if none come, it has no room."""

    call: int


class Happened(msgspec.Struct, frozen=True, tag=True):
    """A worker: this happened here. The parent: tell your observers."""

    event: ModelEvent


FromWorker: TypeAlias = (
    Serving
    | CannotStart
    | Notice
    | Announce
    | Refreshed
    | Renewed
    | Look
    | Happened
    | Pong
    | NeedDecoder
)
ToHttpWorker: TypeAlias = (
    Announced | Refresh | Renew | Drain | Looked | Happened | Ping | HaveDecoder
)
