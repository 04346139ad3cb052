"""What observers are told of models, in a real server: each event once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.plugin_site import write_plugin
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.forked import kill_and_wait
from tfaas_core.testing.runtime import TRIGGER
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

PLUGIN = """
import json, os, pathlib
from tfaas_core.hookspecs import hookimpl
from tfaas_core.observer import Observer

class Notes(Observer):
    def __init__(self, file):
        self._file = file

    def _note(self, event):
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        line = {"kind": type(event).__name__, "by": os.getpid()} | fields
        with self._file.open("a") as file:
            file.write(json.dumps(line) + "\\n")

    uploaded = switched = loaded = unloaded = crashed = _note

@hookimpl
def tfaas_register_observers(host):
    return [Notes(pathlib.Path(host.config.storage.rest["root"]).parent / "notes")]
"""


class Noted:
    """A server, and what its observers were told."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self._file = server.log.parent / "notes"

    def events(self, model: str) -> list[dict[str, Any]]:
        text = self._file.read_text() if self._file.exists() else ""
        # The last one may be there only in part.
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [event for event in map(json.loads, lines) if event["model"] == model]

    def kinds(self, model: str) -> list[str]:
        return [event["kind"] for event in self.events(model)]


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noted]:
    folder = tmp_path_factory.mktemp("noted")
    write_plugin(folder / "site", "tfaas-notes", PLUGIN)
    settings = ("server.workers=2", "plugins.access_log.events=true")
    with fake_server(folder, *settings) as server:
        yield Noted(server)


def test_an_upload_a_roll_back_and_a_deletion(noted: Noted) -> None:
    http = noted.server.http
    for _ in range(2):
        assert noted.server.upload("vk", b"sum").status_code == 200
    assert http.post("/models/vk/rollback").status_code == 200
    assert http.delete("/delete/vk").status_code == 200
    until(lambda: noted.kinds("vk").count("ModelUploaded") == 2, what="both uploads are told")
    until(lambda: noted.kinds("vk").count("ModelSwitched") == 4, what="each switch is told")
    until(
        lambda: noted.kinds("vk").count("ModelUnloaded") == noted.kinds("vk").count("ModelLoaded")
    )
    events = noted.events("vk")
    assert len({event["by"] for event in events}) == 1
    uploads = [event for event in events if event["kind"] == "ModelUploaded"]
    assert [event["version"] for event in uploads] == [1, 2]
    assert all(0 < event["duration_s"] < 60 and event["size_bytes"] == 3 for event in uploads)
    switches = [event for event in events if event["kind"] == "ModelSwitched"]
    assert [(event["before"], event["version"]) for event in switches] == [
        (None, 1),
        (1, 2),
        (2, 1),
        (1, None),
    ]
    # Another worker may see the new version in the storage before it is told of it.
    kinds = noted.kinds("vk")
    assert sorted(kinds[:2]) == ["ModelLoaded", "ModelSwitched"]
    assert kinds[2] == "ModelUploaded"


def test_a_refused_upload_is_none(noted: Noted) -> None:
    assert noted.server.upload("no", b"nonsense").status_code == 422
    assert noted.server.upload("yes", b"sum").status_code == 200
    until(lambda: "ModelUploaded" in noted.kinds("yes"))
    assert noted.events("no") == []


def test_a_crash_is_told_with_how_it_ended(noted: Noted) -> None:
    assert noted.server.upload("bad", b"abort").status_code == 200
    assert noted.server.predict(model="bad", values=[TRIGGER, 2, 3]).status_code == 503
    until(lambda: "ModelCrashed" in noted.kinds("bad"))
    (crashed,) = [event for event in noted.events("bad") if event["kind"] == "ModelCrashed"]
    assert (crashed["version"], crashed["ending"]) == (1, "was killed by SIGABRT")
    assert crashed["was_loaded"]
    line = f"crashed bad version=1 pid={crashed['pid']} ending='was killed by SIGABRT'"
    until(lambda: line in noted.server.log.read_text(), what="the other observer is told, too")


def test_if_the_worker_that_is_told_dies_the_next_one_is(noted: Noted) -> None:
    assert noted.server.upload("one", b"sum").status_code == 200
    until(lambda: "ModelUploaded" in noted.kinds("one"))
    told = noted.events("one")[-1]["by"]
    (worker,) = [worker for worker in noted.server.workers() if worker.pid == told]
    (other,) = [worker for worker in noted.server.workers() if worker.pid != told]
    kill_and_wait(worker)
    until(lambda: other in noted.server.workers() and len(noted.server.workers()) == 2)
    until(lambda: noted.server.upload("two", b"sum").status_code == 200)
    until(lambda: "ModelUploaded" in noted.kinds("two"))
    assert {event["by"] for event in noted.events("two")} == {other.pid}
