"""Fetching the artifact of one version out of the database, checked."""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import Connection, select

from tfaas_backends.storages.sql.files import BrokenFile, read_files
from tfaas_backends.storages.sql.tables import versions
from tfaas_core.errors import DamagedFile
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.record_text import record_value
from tfaas_core.storage import removed


def fetch(connection: Connection, version: ModelVersion, folder: Path) -> None:
    """Writes the artifact into ``folder``; if it raises, what that has is worth nothing.

    Raises UnknownVersion if the version was removed, and DamagedFile.
    """
    version_id = id_of(connection, version)
    try:
        if read_files(connection, version_id, folder) == version.checksum:
            return
        which = "a file"
    except BrokenFile as broken:
        which = f"the file {broken.path!r}"
    id_of(connection, version)  # it may have been removed meanwhile
    raise DamagedFile(
        f"{which} of version {version.reference} is damaged in the database; upload it again",
        model=version.name,
    )


def id_of(connection: Connection, version: ModelVersion) -> int:
    """The key of a stored version; raises UnknownVersion if it is not there any more."""
    wanted = (versions.c.name == version.name) & (versions.c.number == version.version)
    row = connection.execute(select(versions.c.id, versions.c.record).where(wanted)).one_or_none()
    if row is None or not _is_of(row.record, version):
        raise removed(version)
    return int(row.id)


def _is_of(text: str, version: ModelVersion) -> bool:
    """Whether this is its record, and not of a later version that got the same number."""
    try:
        record = record_value(text, ModelVersion)
    except msgspec.DecodeError:
        return False
    return (record.key, record.checksum) == (version.key, version.checksum)
