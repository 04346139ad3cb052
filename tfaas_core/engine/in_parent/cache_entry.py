"""Cache entries: files that are named after what they depend on, and written whole."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec

_FORMAT = "1"


@contextmanager
def written_entry(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which is at ``path`` after the block; if that raises, it is gone.

    The folder is made if it is missing. Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
        try:
            yield file
            file.flush()
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def entry_name(parts: Iterable[str]) -> str:
    """The name of the entry of what depends on these, and on this machine."""
    told = msgspec.json.encode([_FORMAT, *parts, _processor()])
    return hashlib.sha256(told).hexdigest()


def _processor() -> str:
    """What the answers and the speed of this machine's processor depend on, as it tells it."""
    known: dict[str, str] = {}
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            known.setdefault(name.strip(), value.strip())
    wanted = ("model name", "flags", "CPU implementer", "CPU part", "Features")
    return "\n".join([os.uname().machine, *(known.get(name, "") for name in wanted)])
