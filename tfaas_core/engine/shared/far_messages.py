"""What HTTP workers and the pool of another machine say to each other, beside all else."""

from __future__ import annotations

import msgspec

from tfaas_core.engine.base import Candidate
from tfaas_core.models.model import ModelVersion


class Far(msgspec.Struct, frozen=True):
    """How a servable treats requests that come from another machine.

    Their rows are counted in the place ``counted_as`` of the meter, ``most_rows`` at most. Each has
    ``timeout_s`` left when it is sent. What was sent at ``sent_s``, by that machine's clock, came
    at ``came_s``, by this one's.
    """

    counted_as: int
    most_rows: int
    timeout_s: float
    sent_s: float
    came_s: float


class AcquireStored(msgspec.Struct, frozen=True, tag=True):
    """Connect me to this stored version; load it from the storage if it is not loaded."""

    call: int
    version: ModelVersion


class PrepareSent(msgspec.Struct, frozen=True, tag=True):
    """Load and warm this upload, whose artifact I have sent under this name."""

    call: int
    candidate: Candidate
    sent: str


class AskRoom(msgspec.Struct, frozen=True, tag=True):
    """Is there room for this model, beside those that are used? Done: yes; Absent: no.

    ``key`` and ``size_bytes`` are the version's; empty, and 0, of an upload.
    """

    call: int
    name: str
    key: str = ""
    size_bytes: int = 0


class LetGo(msgspec.Struct, frozen=True, tag=True):
    """I use the version of this key no more; unload it if nobody else does."""

    key: str


class FurtherStored(msgspec.Struct, frozen=True, tag=True):
    """This version, which is stored, is to have a further process: to a MoreWanted."""

    version: ModelVersion


class Leaving(msgspec.Struct, frozen=True, tag=True):
    """This host is about to end: it answers on, but go elsewhere."""
