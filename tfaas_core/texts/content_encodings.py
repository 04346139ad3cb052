"""Content encodings: which ones a client takes, and texts that are compressed once for all."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from functools import lru_cache
from threading import Lock

GZIP_CODING = "gzip"

ZLIB_WINDOW_BITS = {"gzip": 31, "deflate": 15}
"""What ``zlib`` calls these two, each with its header, as ``wbits``."""

_ANY = "*"
_IDENTITY = "identity"
_LEVEL = 9
_LEAST_BYTES = 256
"""What is shorter fits into one packet in any case."""


def weights(accepted: str) -> Mapping[str, float]:
    """Each encoding that a header ``Accept-Encoding`` names, in lower case, and its q, 0 to 1.

    What is no number counts as 0.
    """
    found: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        found[name.strip()] = _weight(parameters)
    return found


def takes_gzip(accepted: str) -> bool:
    """Whether a client that sent this ``Accept-Encoding`` takes gzip."""
    found = weights(accepted)
    return found.get(GZIP_CODING, found.get(_ANY, 0.0)) > 0


@lru_cache(256)
def preferred(accepted: str, offered: tuple[str, ...], takes_any: bool = True) -> str:
    """Whichever of ``offered`` has the highest q, above 0, in ``Accept-Encoding``.

    Of equal ones it is the first; if there is none, or ``identity`` has a higher one, nothing.
    ``takes_any``: whether ``*`` stands for those that are not named.
    """
    found = weights(accepted)
    others = found.get(_ANY, 0.0) if takes_any else 0.0
    best = max(offered, key=lambda name: found.get(name, others))
    weight = found.get(best, others)
    return best if weight > 0 and weight >= found.get(_IDENTITY, 0.0) else ""


class Gzipped:
    """What was compressed, by a key of its own; of more than ``most_bytes``, the last used.

    Any thread may ask.
    """

    def __init__(self, most_bytes: int = 8 << 20) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = Lock()

    def of(self, key: Hashable, body: bytes) -> bytes | None:
        """``body`` compressed, for which ``key`` stands; None if it would be no shorter."""
        if len(body) < _LEAST_BYTES:
            return None
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key] or None
        packed = gzip.compress(body, _LEVEL, mtime=0)
        packed = packed if len(packed) < len(body) else b""
        self._keep(key, packed)
        return packed or None

    def _keep(self, key: Hashable, packed: bytes) -> None:
        with self._lock:
            self._bytes += len(packed) - len(self._kept.pop(key, b""))
            self._kept[key] = packed
            while self._bytes > self._most_bytes or len(self._kept) > self._most_bytes >> 10:
                self._bytes -= len(self._kept.popitem(last=False)[1])


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
