"""Series: what is counted apart, and where."""

from __future__ import annotations

import msgspec

from tfaas_plugins.metrics.families import Family


class Series(msgspec.Struct, frozen=True, gc=False):
    """``at``: its first cell. A histogram's cells are its buckets, each alone, and its sum."""

    family: Family
    labels: tuple[str, ...]
    at: int
