"""What an engine tells of what it has loaded, and of other hosts."""

from __future__ import annotations

import msgspec


class ServableStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """A loaded model, or one of its processes if it has several, as ``GET /status`` shows it.

    ``state`` is loading, ready or leaving; ``private_bytes`` is what its process costs, with all
    that the process holds; ``idle_s`` is how long nobody has used it. ``host``: empty: this one.
    """

    model: str
    state: str
    pid: int | None
    private_bytes: int | None
    rows_in_flight: int
    idle_s: float
    host: str = ""


class HostStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """Another host that runs models, as ``GET /status`` shows it.

    ``state`` is serves, leaving, silent or away; ``why`` is a sentence, empty if it serves.
    """

    host: str
    state: str
    why: str = ""
