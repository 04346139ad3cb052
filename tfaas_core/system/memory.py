"""Memory: what a process costs beyond what it shares with others."""

from __future__ import annotations

from pathlib import Path


def private_bytes(pid: int) -> int | None:
    """The bytes that would come back if the process went; None if that cannot be known.

    Read from Linux's ``smaps_rollup``; takes about a millisecond.
    """
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    lines = [line.split() for line in text.splitlines() if line.startswith("Private_")]
    return sum(int(words[1]) for words in lines) * 1024
