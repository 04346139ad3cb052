"""Archives and compressed files, told by their first bytes.

It imports nothing else of TFaaS, and nothing that takes long: commands use it, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Archive(NamedTuple):
    """A kind of them: the bytes that mark it, and where in the file these stand."""

    name: str
    magic: bytes
    at: int = 0

    def begins(self, start: bytes) -> bool:
        """Whether ``start``, START_BYTES of a file, is the start of one."""
        return start.startswith(self.magic, self.at)


GZIP = Archive("gzip", b"\x1f\x8b")
BZIP2 = Archive("bzip2", b"BZh")
XZ = Archive("xz", b"\xfd7zXZ\x00")
ZSTD = Archive("zstd", b"\x28\xb5\x2f\xfd")
ZIP = Archive("zip", b"PK\x03\x04")
TAR = Archive("tar", b"ustar", 257)

_ALL = (GZIP, TAR, BZIP2, XZ, ZSTD, ZIP)
# In this order: the first bytes of a tarball are the name of a file.

START_BYTES = TAR.at + len(TAR.magic)
"""So many bytes tell the kind of a file."""


def archive_of(start: bytes) -> Archive | None:
    """The kind of a file that begins with ``start``, START_BYTES of it; None: it is no archive."""
    return next((archive for archive in _ALL if archive.begins(start)), None)


def archive_at(path: Path) -> Archive | None:
    """The kind of a file; None: it is no archive, or no file."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return archive_of(file.read(START_BYTES))
