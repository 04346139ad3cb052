"""``tfaas verify``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from tfaas_backends.storages.filesystem.storage import FilesystemStorage
from tfaas_backends.storages.sql import make_sql_storage

from tests.cli.conftest import Fails, Tfaas
from tfaas_core.cli import main
from tfaas_core.testing.storage_processes import Shape, upload

SQL = '[storage]\nkind = "sql"\nurl = "sqlite:///models.db"\ncache = "cache"\n'


@pytest.fixture
def stored(here: Path) -> FilesystemStorage:
    """Three versions of two models in ``models``, where ``tfaas`` looks."""
    storage = FilesystemStorage(here / "models")
    storage.open()
    for name, shape in (("vk", Shape.FILE), ("vk", Shape.FOLDER), ("ww", Shape.FILE)):
        upload(storage, name, shape=shape)
    return storage


@pytest.mark.usefixtures("stored")
def test_what_is_whole_is_counted(tfaas: Tfaas) -> None:
    assert tfaas("verify") == "whole: 3, damaged or missing: 0\n"
    assert json.loads(tfaas("verify", "--json")) == {"whole": 3, "faults": []}


def test_each_damaged_and_missing_version_is_a_line(
    stored: FilesystemStorage, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = here / "models/vk/1/model"
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)
    (here / "models/ww/1/model").unlink()
    (here / "models/vk/2/version.json").write_text("{")
    assert main(["verify"]) == 1
    out, err = capfd.readouterr()
    assert out == "whole: 0, damaged or missing: 3\n"
    record, first, second = err.splitlines()
    assert "vk/2/version.json is not a record" in record
    assert first == ("tfaas: the files of version vk/1 are not what was stored; upload it again")
    assert "version ww/1" in second


def test_the_faults_are_json_too(
    stored: FilesystemStorage, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "models/ww/1/model").write_bytes(b"")
    assert main(["verify", "--json"]) == 1
    (fault,) = json.loads(capfd.readouterr().out)["faults"]
    assert (fault["model"], fault["version"]) == ("ww", 1)


def test_a_database_is_read_and_not_its_cache(here: Path, tfaas: Tfaas, fails: Fails) -> None:
    (here / "tfaas.toml").write_text(SQL)
    storage = make_sql_storage({"url": "sqlite:///models.db", "cache": "cache"}, here)
    storage.open()
    stored = upload(storage, "vk")
    assert storage.artifact(stored).exists()
    storage.close()
    assert tfaas("verify") == "whole: 1, damaged or missing: 0\n"
    engine = create_engine("sqlite:///models.db")
    with engine.begin() as connection:
        connection.execute(text("UPDATE chunks SET data = X'00'"))
    engine.dispose()
    assert fails("verify") == (
        "the file 'model' of version vk/1 is damaged in the database; upload it again"
    )
    assert [*(here / "cache" / ".staging").iterdir()] == []
