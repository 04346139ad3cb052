"""The steps by which the schema of the SQL storage came about, one file each, run by Alembic.

A new step is a new file in ``versions`` whose ``down_revision`` is the one before, and a further
revision in ``sql_schema.REVISIONS``. Steps are never changed, and do not use ``sql_tables``, which
shows the schema as it is after all of them.
"""
