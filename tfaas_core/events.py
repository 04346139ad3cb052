"""Events: what happens to models beside the answers to requests, for observers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec


class ModelUploaded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An upload was stored, and is served. Of one that is refused, its answer alone tells."""

    model: str
    version: int
    runtime: str
    size_bytes: int
    """Of the files of the version, as they are stored."""
    duration_s: float
    """From the beginning of the request until the version was live in all HTTP workers."""
    identity: str
    """Who has sent it, as guards say; empty if they do not."""
    address: str = ""
    """From where, as ``ClientAddress.ip`` has it; empty for what came over no connection."""
    request_id: str = ""
    """Of the request, as ``Answered`` has it."""


class ModelSwitched(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Requests go to another version: because of an upload, a roll-back, a label that was moved, or
    a deletion, by this server or by another one that shares the storage.
    """

    model: str
    label: str
    """Those that name this label; empty: those that name neither a label nor a version."""
    version: int | None
    """Where they go; None: nowhere any more."""
    before: int | None
    """Where they went; None: nowhere yet. The same number as ``version`` is another version, if the
    model was deleted and stored anew."""


class ModelLoaded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A version is loaded and warm. That of an upload is told of once that is stored."""

    model: str
    version: int
    runtime: str
    pid: int | None
    """Of the process that holds it, alone or beside others; None if it is not known."""
    duration_s: float
    """It took to start a process for it, to load it and to warm it up."""


class ModelUnloaded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A version that ``ModelLoaded`` told of is there no more: its last answer is out."""

    model: str
    version: int
    pid: int | None
    reason: str
    """``evicted``: others needed its room, and it was used least recently. ``retired``: it is no
    longer live, or was deleted. ``spare``: its version has other processes, which suffice. An
    engine of a plugin may have other reasons."""


class ModelCrashed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The process of a version died, or answers no more, through no wish of anybody's."""

    model: str
    version: int | None
    """None for an upload that is not stored."""
    pid: int | None
    ending: str
    """The end of a sentence about the process, like ``was killed by SIGSEGV``."""
    was_loaded: bool
    """Whether ``ModelLoaded`` told of it; if not, it was still being loaded or examined."""


ModelEvent: TypeAlias = ModelUploaded | ModelSwitched | ModelLoaded | ModelUnloaded | ModelCrashed

Tell: TypeAlias = Callable[[ModelEvent], None]
"""Takes note of an event, for observers. Called in the event loop; it does not wait."""


def tell_nobody(_event: ModelEvent) -> None:
    """The ``Tell`` of whoever has no observers."""
