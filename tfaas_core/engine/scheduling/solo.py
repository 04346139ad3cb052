"""Solo: whether an HTTP worker asks one model alone, so that it may wait for that."""

from __future__ import annotations


class Solo:
    """Which connection of an HTTP worker is the only one that sends, and since when.

    ``quiet_s``: for how long the others must not have sent.
    """

    def __init__(self, quiet_s: float = 0.001) -> None:
        self._quiet_s = quiet_s
        self._who: object = None
        self._since_s = 0.0

    def is_of(self, who: object, now_s: float) -> bool:
        """Called whenever ``who`` sends: whether no other has sent meanwhile."""
        if who is not self._who:
            self._who, self._since_s = who, now_s
        return now_s - self._since_s > self._quiet_s
