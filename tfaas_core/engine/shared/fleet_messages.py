"""What HTTP workers and the pool say to each other about further processes of a version."""

from __future__ import annotations

import msgspec

from tfaas_core.engine.base import Candidate


class MoreWanted(msgspec.Struct, frozen=True, tag=True):
    """The version of this key is to have a further process; say where it is."""

    key: str


class Further(msgspec.Struct, frozen=True, tag=True):
    """This stored version, which is to have a further process, is there: to a MoreWanted."""

    candidate: Candidate


class Joined(msgspec.Struct, frozen=True, tag=True):
    """The version of this key has a further process, with two descriptors as of Connected.

    Whoever does not use the version any more hangs up.
    """

    ticket: int
    key: str
