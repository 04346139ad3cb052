"""The budget of what a file may take in memory, once it is expanded."""

from __future__ import annotations

from tfaas_core.errors import TooLarge

_MOST_METADATA_BYTES = 8_000_000
"""Of which uproot makes objects, that take some fifty times as much."""


class Budget:
    """What one request may take, in bytes: what is expanded, and the arrays made of that."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._taken_bytes = 0

    def take(self, needed_bytes: int) -> None:
        """Called before memory is taken; raises TooLarge if that is beyond the limit."""
        self._taken_bytes += needed_bytes
        if self._taken_bytes > self._limit_bytes:
            raise TooLarge(
                f"the file takes {self._taken_bytes} bytes or more when it is expanded, the limit "
                f"is {self._limit_bytes} (server.max_body_bytes); send fewer rows",
                expected=self._limit_bytes,
                got=self._taken_bytes,
            )


def check_metadata(size: int) -> None:
    """Raises TooLarge if what describes a tree is larger than any that somebody needs."""
    if size > _MOST_METADATA_BYTES:
        raise TooLarge(
            f"the description of a tree takes {size} bytes, the limit is {_MOST_METADATA_BYTES}; "
            "send fewer branches, in larger baskets",
            expected=_MOST_METADATA_BYTES,
            got=size,
        )
