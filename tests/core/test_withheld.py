"""What clients are not told of an error, and the operator is."""

from __future__ import annotations

import msgspec
import pytest

from tfaas_core.engine.in_model_process.origin import Origin
from tfaas_core.errors import StorageUnavailable
from tfaas_core.routing.seam import error_answer
from tfaas_core.withheld import without_folders


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("OSError: [Errno 5] I/O error: '/srv/models/vk/1/model'", "I/O error: 'model'"),
        ("cannot import name 'x' from 'y' (/usr/lib/y.py)", "from 'y' (y.py)"),
        ("no table (/a b/c)", "no table (/a b/c)"),
        ("in /srv/models/vk/", "in vk/"),
        ("dense/kernel and ./a/b and https://host/a/b of 1/2/3", "and https://host/a/b of 1/2/3"),
        ("nothing at /", "nothing at /"),
    ],
)
def test_of_a_path_the_last_part_is_told(text: str, told: str) -> None:
    assert without_folders(text).endswith(told)


def test_what_clients_are_not_told_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tfaas.errors")
    answer = error_answer(StorageUnavailable("no /srv/models", "no storage"))
    assert msgspec.json.decode(answer.body)["error"] == "no storage"
    error_answer(StorageUnavailable("busy"))
    assert [record.getMessage() for record in caplog.records] == ["no /srv/models"]


def test_whoever_uploads_is_not_told_where_the_model_is() -> None:
    failed = FileNotFoundError(2, "No such file or directory", "/srv/models/vk/1/model")
    error = Origin("vk", "vk 1", "plugin").load_failed(failed)
    assert "/srv/models/vk/1/model" in error.message
    assert "No such file or directory: 'model'" in error.document()["error"]
