"""``tfaas copy`` between a folder and PostgreSQL, whole and interrupted."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tests.backends.storages.sql.databases import count, opened
from tests.cli.conftest import Tfaas
from tests.cli.half_copy import STORED, half_copy
from tfaas_core.models.versions import Pointers
from tfaas_core.storage import DefaultChoice, Storage
from tfaas_core.testing.postgresql import PASSWORD, database_for
from tfaas_core.testing.storage_processes import Shape, fault_of, upload

pytestmark = pytest.mark.usefixtures("postgresql")

SIDES = ("--from", "source.toml", "--to", "target.toml")
KINDS = {"to": ("filesystem", "sql"), "from": ("sql", "filesystem"), "between": ("sql", "sql")}


class Sides(NamedTuple):
    source: Storage
    target: Storage
    databases: list[str]


@pytest.fixture(params=KINDS)
def sides(request: pytest.FixtureRequest, here: Path) -> Iterator[Sides]:
    """The storages of ``source.toml`` and ``target.toml``."""
    storages, databases = [], []
    for side, kind in zip(("source", "target"), KINDS[request.param], strict=True):
        place = here / side
        if kind == "sql":
            databases.append(url := database_for(place))
            table = f'kind = "sql"\nurl = "{url}"\ncache = "{side}/cache"\n'
            storages.append(opened(url, place))
        else:
            table = f'root = "{side}"\n'
            storages.append(FilesystemStorage(place))
            storages[-1].open()
        (here / f"{side}.toml").write_text(f"[storage]\n{table}")
    source, target = storages
    yield Sides(source, target, databases)
    for storage in storages:
        storage.close()


def test_all_of_it_is_copied_and_only_once(tfaas: Tfaas, sides: Sides) -> None:
    source, target, _ = sides
    for seed in (b"1", b"2", b"3"):
        upload(source, "vk", seed)
    upload(source, "other", shape=Shape.FOLDER)
    with source.claim("vk") as claim:
        source.point(claim, Pointers((3, 1, 2), {"canary": 3}))
    source.choose_default(DefaultChoice("other", "2026-01-01"))
    told = "other: 1 version copied\nvk: 3 versions copied\ndefault model: other\n"
    assert tfaas("copy", *SIDES) == told
    assert target.list() == source.list()
    assert target.default() == source.default()
    for model in target.list():
        assert {fault_of(target, version) for version in model.versions} == {None}
    assert tfaas("copy", *SIDES) == "other: 1 version there already\nvk: 3 versions there already\n"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_copy_that_was_interrupted_is_started_again(
    tfaas: Tfaas, sides: Sides, tmp_path: Path, how: signal.Signals
) -> None:
    source, target, databases = sides
    for seed in range(STORED + 2):
        upload(source, "vk", b"%d" % seed)
    with half_copy(tmp_path, *SIDES) as process:
        process.send_signal(how)
        out, errors = process.communicate(timeout=60)
    assert PASSWORD not in out + errors
    model, whole = target.model("vk"), source.model("vk")
    assert model is not None
    assert whole is not None
    assert model.versions == whole.versions[:STORED]
    assert tfaas("copy", *SIDES) == f"vk: 2 versions copied, {STORED} there already\n"
    assert target.list() == source.list()
    assert fault_of(target, target.list()[0].newest) is None
    for url in databases:
        assert count(url, "versions") == count(url, "files") == STORED + 2
