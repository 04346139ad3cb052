"""Checksum: what an artifact's bytes are, in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tfaas_core.files.regular_file import UnfitFileError, open_regular

PREFIX = "sha256:"


def file_sha256(path: Path) -> str:
    """SHA-256 of a regular file, in hex."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def artifact_checksum(artifact: Path) -> str:
    """The checksum of a model's file or folder, as a ModelVersion has it. Blocks."""
    if not artifact.is_dir():
        return f"{PREFIX}{file_sha256(artifact)}"
    files = (path for path in artifact.rglob("*") if path.is_file())
    return folder_checksum({str(path.relative_to(artifact)): file_sha256(path) for path in files})


def is_whole(artifact: Path, checksum: str) -> bool:
    """Whether an artifact has this checksum. Blocks.

    Of one that is being removed or replaced, or is a pipe, no; if ``checksum`` is of another kind,
    yes.
    """
    if not checksum.startswith(PREFIX):
        return True
    try:
        return artifact_checksum(artifact) == checksum
    except (FileNotFoundError, NotADirectoryError, UnfitFileError):
        return False


def folder_checksum(sums: Mapping[str, str]) -> str:
    """The checksum of a folder whose files have these SHA-256 sums, by relative path.

    It is SHA-256 of the lines ``SHA-256  path``, sorted by path.
    """
    # As paths sort, part by part: "a/b" comes before "a.b".
    paths = sorted(sums, key=lambda path: Path(path).parts)
    lines = "".join(f"{sums[path]}  {path}\n" for path in paths)
    return f"{PREFIX}{hashlib.sha256(lines.encode()).hexdigest()}"
