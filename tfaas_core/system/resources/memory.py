"""Memory: what a process costs beyond what it shares with others."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path
from time import monotonic, thread_time

_KEPT_FOR = 20
"""Times as long as looking took: so it takes a twentieth of a core, however often one asks."""


def private_bytes(pid: int) -> int | None:
    """The bytes that would come back if the process went; None if that cannot be known.

    Read from Linux's ``smaps_rollup``, which takes a millisecond for each 30 MB or so that the
    process can reach, shared ones among them: ten, if TensorFlow is one of these.
    """
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    lines = [line.split() for line in text.splitlines() if line.startswith("Private_")]
    return sum(int(words[1]) for words in lines) * 1024


class KnownMemory:
    """``private_bytes`` of many processes, for whoever asks again and again, in any thread.

    What is known is kept until 20 times as long has passed as it took to find out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, int | None] = {}
        self._kept_until_s = 0.0

    def of(self, pids: Collection[int], growing: Collection[int] = ()) -> dict[int, int | None]:
        """That of each of ``pids``; blocks while it looks at those that are not known.

        ``growing``: those of which the figure will soon be another one; it is not kept.
        """
        with self._lock:
            now_s, began_s = monotonic(), thread_time()
            if now_s >= self._kept_until_s:
                self._known, self._kept_until_s = {}, now_s
            for pid in pids:
                if pid not in self._known:
                    self._known[pid] = private_bytes(pid)
            self._kept_until_s += _KEPT_FOR * (thread_time() - began_s)
            found = {pid: self._known[pid] for pid in pids}
            for pid in growing:
                self._known.pop(pid, None)
            return found
