"""The first schema: models, their versions, and the files of those."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MARIADB = ("mysql", "mariadb")

_NAME = sa.String(128).with_variant(sa.String(128, collation="utf8mb4_bin"), *_MARIADB)
_TEXT = sa.Text().with_variant(sa.Text(2**32 - 1, collation="utf8mb4_bin"), *_MARIADB)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _make_state()
    _make_models()
    _make_files()


def _make_state() -> None:
    state = op.create_table(
        "state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("default_choice", _TEXT),
    )
    op.bulk_insert(state, [{"id": 1, "revision": 1}])


def _make_models() -> None:
    op.create_table(
        "models",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("pointers", _TEXT, nullable=False),
        sa.Column("highest", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "versions",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("number", sa.BigInteger),
        sa.Column("record", _TEXT),
        sa.UniqueConstraint("name", "number", name="versions_name_number"),
        sqlite_autoincrement=True,
    )


def _make_files() -> None:
    op.create_table(
        "files",
        sa.Column("id", _ID, primary_key=True),
        sa.Column(
            "version_id", _ID, sa.ForeignKey("versions.id", name="files_of_version"), nullable=False
        ),
        sa.Column("path", _TEXT, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("files_version_id", "files", ["version_id"])
    op.create_table(
        "chunks",
        sa.Column(
            "file_id", _ID, sa.ForeignKey("files.id", name="chunks_of_file"), primary_key=True
        ),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary(2**32 - 1), nullable=False),
    )
