"""The tables of the SQL storage.

::

    state      one row: a revision that counts all changes, and which model is the default one
    models     a model's pointers, the highest number it ever had, the revision of its last change
    versions   a version's record. Without a number it is pending: not stored yet, or removed
    files      the files of a version's artifact
    chunks     their bytes, a piece a row

MariaDB compares text without regard to case and limits it to 64 KiB, unless told otherwise.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

MAX_NAME = 128

_MARIADB = ("mysql", "mariadb")


def name_type() -> TypeEngine[str]:
    """Of a model's name."""
    return String(MAX_NAME).with_variant(String(MAX_NAME, collation="utf8mb4_bin"), *_MARIADB)


def text_type() -> TypeEngine[str]:
    """Of a text of any length."""
    return Text().with_variant(Text(2**32 - 1, collation="utf8mb4_bin"), *_MARIADB)


def id_type() -> TypeEngine[int]:
    """Of a key that counts by itself; SQLite counts ``INTEGER`` only."""
    return BigInteger().with_variant(Integer(), "sqlite")


metadata = MetaData()

state = Table(
    "state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("default_choice", text_type()),
)

models = Table(
    "models",
    metadata,
    Column("name", name_type(), primary_key=True),
    Column("pointers", text_type(), nullable=False),
    Column("highest", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("id", id_type(), primary_key=True),
    Column("name", name_type(), nullable=False),
    Column("number", BigInteger),
    Column("record", text_type()),
    UniqueConstraint("name", "number", name="versions_name_number"),
    sqlite_autoincrement=True,
)

files = Table(
    "files",
    metadata,
    Column("id", id_type(), primary_key=True),
    Column("version_id", ForeignKey("versions.id", name="files_of_version"), nullable=False),
    Column("path", text_type(), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Index("files_version_id", "version_id"),
    sqlite_autoincrement=True,
)

chunks = Table(
    "chunks",
    metadata,
    Column("file_id", ForeignKey("files.id", name="chunks_of_file"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary(2**32 - 1), nullable=False),
)
