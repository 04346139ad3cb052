"""Several servers that share one storage: what one changes, the others serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tfaas_core.testing.clients import Clients, fake_server
from tfaas_core.testing.postgresql import database_for, running_postgresql
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.tries import tries
from tfaas_core.testing.waiting import until

ROW = [1, 2, 3]
SWITCHES = tries(10)


class Shared(NamedTuple):
    """A storage for several servers: their settings, and how it is lost and found again."""

    settings: tuple[str, ...]
    lose: Callable[[], object]
    find: Callable[[], object]

    def settings_in(self, folder: Path) -> tuple[str, ...]:
        """Those of a server that keeps its own things, like a cache, in ``folder``."""
        has_cache = "storage.kind=sql" in self.settings
        return (*self.settings, *([f"storage.cache={folder / 'cache'}"] if has_cache else []))


@contextmanager
def shared_folder(folder: Path) -> Iterator[Shared]:
    models, aside = folder / "models", folder / "aside"
    yield Shared(
        (f"storage.root={models}",), lambda: models.rename(aside), lambda: aside.rename(models)
    )


@contextmanager
def shared_file(folder: Path) -> Iterator[Shared]:
    database, aside = folder / "tfaas.db", folder / "aside.db"
    yield Shared(
        ("storage.kind=sql", f"storage.url=sqlite:///{database}"),
        lambda: database.rename(aside),
        lambda: aside.rename(database),
    )


@contextmanager
def shared_database(folder: Path) -> Iterator[Shared]:
    with running_postgresql() as server:
        url = database_for(folder, server.address)
        yield Shared(("storage.kind=sql", f"storage.url={url}"), server.stop, server.start)


SHARED = {"filesystem": shared_folder, "sqlite": shared_file, "postgresql": shared_database}


@pytest.fixture(scope="module", params=list(SHARED))
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared]:
    with SHARED[request.param](tmp_path_factory.mktemp("shared")) as shared:
        yield shared


class Replicas(NamedTuple):
    one: RunningServer
    other: RunningServer


@pytest.fixture(scope="module")
def replicas(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Two servers of two HTTP workers each."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "other")]
    with (
        fake_server(folders[0], *shared.settings_in(folders[0])) as one,
        fake_server(folders[1], *shared.settings_in(folders[1])) as other,
    ):
        yield Replicas(one, other)


def answer(server: RunningServer, model: str | None = "vk") -> object:
    """What a server says to ROW: the answer, or the status where there is none."""
    response = server.predict(values=ROW, **({} if model is None else {"model": model}))
    return response.json() if response.status_code == 200 else response.status_code


def always(server: RunningServer, expected: object, model: str | None = "vk") -> bool:
    """Whether each of many requests, to whichever HTTP worker, gets that answer."""
    return all(answer(server, model) == expected for _ in range(10))


def until_always(server: RunningServer, expected: object, model: str | None = "vk") -> None:
    until(lambda: always(server, expected, model))


def upload(server: RunningServer, factor: int, model: str = "vk") -> None:
    response = server.upload(model, b"times %d" % factor)
    assert response.status_code == 200, response.text


def test_what_is_uploaded_to_one_is_served_by_the_other(replicas: Replicas) -> None:
    upload(replicas.one, 2)
    until_always(replicas.other, [12])
    upload(replicas.other, 3)
    until_always(replicas.one, [18])
    assert always(replicas.other, [18])


def test_a_model_deleted_on_one_is_gone_from_the_other(replicas: Replicas) -> None:
    upload(replicas.one, 2, "gone")
    until_always(replicas.other, [12], "gone")
    assert replicas.one.http.delete("/delete/gone").status_code == 200
    until_always(replicas.other, 404, "gone")
    assert "gone" not in replicas.other.names()


def test_the_default_model_chosen_on_one_is_that_of_the_other(replicas: Replicas) -> None:
    upload(replicas.one, 2, "first")
    upload(replicas.one, 3, "second")
    until_always(replicas.other, [18], None)
    assert replicas.one.http.post("/params", json={"name": "first"}).status_code == 200
    until_always(replicas.other, [12], None)


def test_the_other_switches_versions_without_a_failed_request(replicas: Replicas) -> None:
    upload(replicas.one, 1, "busy")
    until_always(replicas.other, [6], "busy")
    right = [b"[%d.0]" % (6 * factor) for factor in range(1, SWITCHES + 1)]
    with Clients(replicas.other, "busy busy busy", right) as clients:
        for factor in range(2, SWITCHES + 1):
            upload(replicas.one, factor, "busy")
            until_always(replicas.other, [6 * factor], "busy")
            clients.wait_for(10)
    assert set(clients.statuses("busy")) == {200}


def test_without_their_storage_they_serve_what_is_loaded_until_it_is_back(
    replicas: Replicas, shared: Shared
) -> None:
    upload(replicas.one, 5)
    until_always(replicas.other, [30])
    shared.lose()
    try:
        for server in replicas:
            until_always(server, 503, "unheard-of")
            refused = server.upload("new", b"sum")
            assert refused.status_code == 503, refused.text
            assert "Retry-After" in refused.headers
            assert always(server, [30])
    finally:
        shared.find()
    for server in replicas:
        until_always(server, 404, "unheard-of")
    upload(replicas.one, 7)
    until_always(replicas.other, [42])


def test_a_server_that_was_killed_amid_changes_serves_what_the_others_have_when_it_is_back(
    replicas: Replicas, shared: Shared, tmp_path: Path
) -> None:
    settings = ("server.workers=1", *shared.settings_in(tmp_path))
    upload(replicas.one, 2)
    with fake_server(tmp_path / "first", *settings) as killed:
        until_always(killed, [12])
        upload(killed, 3)
        killed.process.kill()
        killed.process.wait()
    until_always(replicas.one, [18])
    upload(replicas.one, 4)
    assert replicas.one.http.delete("/delete/first").status_code == 200
    with fake_server(tmp_path / "again", *settings) as again:
        assert always(again, [24])
        assert answer(again, "first") == 404
        until(lambda: again.names() == replicas.one.names() == replicas.other.names())
