"""/models/NAME/labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.ladder import Ladder, ScaleGraph, answers_of_all, error
from tfaas_core.models.versions import MAX_LABELS
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer


def test_a_label_is_put_moved_and_removed(ladder: Ladder) -> None:
    assert ladder.ask("GET", "/labels").json() == {}
    ladder.label("canary", 1)
    assert ladder.answering(label="canary") == 1
    ladder.label("canary", 2)
    ladder.label("a", 3)
    assert ladder.ask("GET", "/labels").text == '{"a":3,"canary":2}\n'
    assert ladder.answering(label="canary") == 2
    assert ladder.answering() == 3
    removed = ladder.ask("DELETE", "/labels/canary")
    assert (removed.status_code, removed.json()) == (200, {"deleted": "canary"})
    assert ladder.ask("GET", "/labels").json() == {"a": 3}
    for gone in ladder.answers(label="canary"):
        assert error(gone) == (404, "unknown_version")
    assert error(ladder.ask("DELETE", "/labels/canary")) == (404, "unknown_version")


def test_labels_stay_where_they_are_when_another_version_goes_live(ladder: Ladder) -> None:
    ladder.label("stable", 2)
    ladder.upload()
    ladder.roll_back(3)
    assert ladder.answering(label="stable") == 2


def test_a_model_has_so_many_labels_and_no_more(ladder: Ladder) -> None:
    for index in range(MAX_LABELS):
        assert ladder.ask("PUT", f"/labels/l{index}", json={"version": 1}).status_code == 200
    refused = ladder.ask("PUT", "/labels/more", json={"version": 1})
    assert error(refused) == (422, "does_not_fit")
    assert f"{MAX_LABELS} labels" in refused.json()["error"]
    ladder.label("l0", 2)


def test_a_new_model_of_a_deleted_ones_name_has_none_of_its_labels(
    ladder: Ladder, server: RunningServer, scale_graph: ScaleGraph
) -> None:
    ladder.label("canary", 1)
    server.http.delete("/delete/ladder")
    for path in ("/versions", "/labels", "/versions/1"):
        assert error(ladder.ask("GET", path)) == (404, "unknown_model")
    assert server.upload("ladder", scale_graph(1.0)).json()["version"] == 1
    assert ladder.ask("GET", "/labels").json() == {}


def test_versions_and_labels_are_there_after_a_restart(tmp_path: Path) -> None:
    root = f"storage.root={tmp_path / 'models'}"
    with fake_server(tmp_path / "first", root, "server.workers=1") as first:
        for factor in (1, 2, 3):
            assert first.upload("vk", b"times %d" % factor).status_code == 200
        labelled = first.http.put("/models/vk/labels/canary", json={"version": 1})
        assert labelled.status_code == 200
        assert first.http.post("/models/vk/rollback").json()["version"] == 2
    with fake_server(tmp_path / "second", root) as second:
        assert answers(second) == {"[12.0]"}
        assert answers(second, label="canary") == {"[6.0]"}
        assert second.http.post("/models/vk/rollback").json()["version"] == 1


def test_what_an_upload_replaced_answers_to_its_label_and_can_be_rolled_back_to(
    tmp_path: Path,
) -> None:
    """Also where memory is limited, so that the upload took its place there."""
    with fake_server(tmp_path, "engine.max_memory_bytes=1") as server:
        assert server.upload("vk", b"times 1").status_code == 200
        assert server.http.put("/models/vk/labels/stable", json={"version": 1}).status_code == 200
        assert server.upload("vk", b"times 2").status_code == 200
        rolled_back = server.http.post("/models/vk/rollback")
        assert (rolled_back.status_code, rolled_back.json()["version"]) == (200, 1)
        assert answers(server) == {"[6.0]"}
        assert server.upload("vk", b"times 3").status_code == 200
        assert answers(server, label="stable") == {"[6.0]"}


def answers(server: RunningServer, **named: object) -> set[str]:
    """What all workers answer."""
    return {answer.text.strip() for answer in answers_of_all(server, model="vk", **named)}


@pytest.mark.parametrize("label", ["-a", "a%20b", "a%2Fb", "%00", "é", "x" * 129])
def test_a_bad_label_is_refused(fixed: Ladder, label: str) -> None:
    put = fixed.ask("PUT", f"/labels/{label}", json={"version": 1})
    assert error(put) == (422, "does_not_fit")
    assert "cannot name a label" in put.json()["error"]
    assert error(fixed.ask("DELETE", f"/labels/{label}")) == (404, "unknown_version")
