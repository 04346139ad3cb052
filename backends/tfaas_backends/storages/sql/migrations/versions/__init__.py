"""One file a step; Alembic orders them by their revisions."""
