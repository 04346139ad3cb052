"""What HTTP workers, the pool and model processes say to each other about accelerators."""

from __future__ import annotations

import msgspec

from tfaas_core.system.links.link import Answer


class Accelerate(msgspec.Struct, frozen=True, tag=True):
    """The version of this key is loaded: have an accelerator run it, if that proves to be right.

    ``path`` and ``checksum`` are its artifact's. ``examples``: its inputs, see ``packed_examples``.
    """

    key: str
    path: str
    checksum: str
    examples: bytes


class AskAcceleration(msgspec.Struct, frozen=True, tag=True):
    """What runs the version of this key?"""

    call: int
    key: str


class Runs(Answer, frozen=True, tag=True):
    """This engine runs the version, for this reason; and in this mode, for that one.

    ``threads``, ``executor`` and ``shared_rows``: as Loaded has them, of the process loaded first.
    """

    engine: str
    reason: str
    mode: str = ""
    mode_reason: str = ""
    threads: int = 0
    executor: str = ""
    shared_rows: int = 0


class Switch(msgspec.Struct, frozen=True, tag=True):
    """With one descriptor, of a file: have an accelerator run this servable.

    It opens the ``size_bytes`` from ``start`` on, and runs ``most_rows`` at most.
    """

    ticket: int
    start: int
    size_bytes: int
    most_rows: int


class HasSwitched(msgspec.Struct, frozen=True, tag=True):
    """The accelerator runs this servable; or it does not, for this reason."""

    ticket: int
    refusal: str = ""
