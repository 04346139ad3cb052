"""What the parent says to the decoder server."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from tfaas_core.sandbox.confine import Cell


class Preload(msgspec.Struct, frozen=True, tag=True):
    """First: import these, each like ``module:function``; confine what you fork as ``cell``."""

    works: tuple[str, ...]
    cell: Cell
    log_level: str
    log_format: str


class ForkDecoder(msgspec.Struct, frozen=True, tag=True):
    """A decoder for this work. With it come its socket, and what it is to end with."""

    work: str


ToDecoderServer: TypeAlias = Preload | ForkDecoder
