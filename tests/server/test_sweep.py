"""The cleaning up at the start, where it fails."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tfaas_core.testing.clients import fake_server


def test_a_server_that_cannot_clean_up_says_so_and_serves(tmp_path: Path) -> None:
    database = tmp_path / "tfaas.db"
    settings = (
        *("server.workers=1", "storage.kind=sql"),
        *(f"storage.url=sqlite:///{database}", f"storage.cache={tmp_path}/cache"),
    )
    with fake_server(tmp_path / "first", *settings) as server:
        assert server.upload("doubler", b"times 2").status_code == 200
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("INSERT INTO versions (name) VALUES ('half-done')")
        connection.commit()
    # What is in the place of the folder that claims a name.
    (tmp_path / "tfaas.db-claims" / "half-done").touch()
    with fake_server(tmp_path / "second", *settings) as server:
        assert server.predict(values=[1, 2, 3]).json() == [12.0]
        assert server.upload("tripler", b"times 3").status_code == 200
        said = server.log.read_text()
        assert "the model storage was not cleaned up: " in said
        assert "claiming model 'half-done' failed" in said
