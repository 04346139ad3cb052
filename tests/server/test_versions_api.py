"""/models/NAME/versions, /rollback and /labels."""

from __future__ import annotations

import io
import tarfile
import threading

import httpx
import pytest

from tests.server.ladder import Ladder, ScaleGraph, error
from tfaas_core.testing.server import RunningServer, http_client
from tfaas_core.testing.waiting import until

# The versions.


def test_versions_are_listed_with_what_points_at_them(ladder: Ladder) -> None:
    ladder.label("canary", 1)
    ladder.label("a", 1)
    records = ladder.ask("GET", "/versions").json()
    assert [(r["version"], r["live"], r["versionLabels"]) for r in records] == [
        (1, False, ["a", "canary"]),
        (2, False, []),
        (3, True, []),
    ]
    live = ladder.ask("GET").json()
    del live["engine"]  # which tells what runs it now
    assert records[-1] == live | {"live": True, "versionLabels": []}
    assert list(records[-1])[-2:] == ["live", "versionLabels"]
    for record in records:
        assert ladder.ask("GET", f"/versions/{record['version']}").json() == record


def test_a_version_shows_its_class_labels_and_its_examples(
    server: RunningServer, scale_graph: ScaleGraph
) -> None:
    first = b'{"example": [{"values": [1, 2, 3]}, {"values": [1, 1, 1], "outputs": [2, 2, 2]}]}'
    parts = {"labels": b"x\ny\nz\n", "params": first}
    assert server.upload("told", scale_graph(2.0), **parts).status_code == 200
    assert server.upload("told", scale_graph(3.0)).status_code == 200
    told, bare = (f"/models/told/versions/{number}" for number in (1, 2))
    assert server.http.get(f"{told}/class_labels").json() == ["x", "y", "z"]
    assert server.http.get(f"{told}/examples").json() == [
        {"values": [1, 2, 3], "tolerance": 0.0001},
        {"values": [1, 1, 1], "outputs": [2, 2, 2], "tolerance": 0.0001},
    ]
    assert server.http.get(f"{bare}/class_labels").json() == []
    assert server.http.get(f"{bare}/examples").json() == []
    assert error(server.http.get("/models/told/versions/9/examples")) == (404, "unknown_version")
    server.http.delete("/delete/told")


def test_the_bundle_of_a_version_uploads_to_the_same_answers(
    ladder: Ladder, server: RunningServer
) -> None:
    bundle = ladder.ask("GET", "/versions/2/download")
    assert bundle.headers["content-disposition"] == 'attachment; filename="ladder-2.tar.gz"'
    with tarfile.open(fileobj=io.BytesIO(bundle.content)) as archive:
        assert archive.getnames() == ["ladder/model.pb"]
    stored = server.http.post("/upload?name=copied", content=bundle.content)
    assert stored.status_code == 200, stored.text
    assert server.predict(model="copied", values=[1, 2, 3]).json() == [2.0, 4.0, 6.0]
    server.http.delete("/delete/copied")


def test_a_version_is_deleted_unless_it_is_live_or_labelled(ladder: Ladder) -> None:
    assert ladder.predict(version=2) == 2
    deleted = ladder.ask("DELETE", "/versions/2")
    assert (deleted.status_code, deleted.json()) == (200, {"deleted": "ladder/2"})
    assert ladder.numbers() == [1, 3]
    for path in ("/versions/2", "/versions/2/download"):
        assert error(ladder.ask("GET", path)) == (404, "unknown_version")
    assert error(ladder.ask("DELETE", "/versions/2")) == (404, "unknown_version")
    for gone in ladder.answers(version=2):
        assert error(gone) == (404, "unknown_version")
    live = ladder.ask("DELETE", "/versions/3")
    assert error(live) == (409, "in_use")
    assert "ladder/3 is live" in live.json()["error"]
    ladder.label("canary", 1)
    labelled = ladder.ask("DELETE", "/versions/1")
    assert error(labelled) == (409, "in_use")
    assert "the label 'canary' names ladder/1" in labelled.json()["error"]
    ladder.ask("DELETE", "/labels/canary")
    assert ladder.ask("DELETE", "/versions/1").status_code == 200
    assert ladder.numbers() == [3]


def test_the_number_of_a_deleted_version_is_not_used_again(ladder: Ladder) -> None:
    ladder.roll_back()
    assert ladder.ask("DELETE", "/versions/3").status_code == 200
    ladder.upload()
    assert ladder.numbers() == [1, 2, 4]
    assert ladder.answering() == 4


# Roll-back.


def test_roll_back_returns_to_what_was_live_before(ladder: Ladder) -> None:
    assert ladder.answering() == 3
    assert ladder.roll_back() == 2
    ladder.upload()
    assert ladder.answering() == 4
    # Version 3 was rolled back from: it is there, but nothing to return to unasked.
    assert ladder.roll_back() == 2
    assert ladder.roll_back(3) == 3
    assert ladder.roll_back(3) == 3
    assert ladder.roll_back() == 2
    assert ladder.roll_back(4) == 4
    assert ladder.ask("GET").json()["version"] == 4


def test_roll_back_ends_where_nothing_was_before(ladder: Ladder) -> None:
    assert [ladder.roll_back(), ladder.roll_back()] == [2, 1]
    refused = ladder.ask("POST", "/rollback")
    assert error(refused) == (404, "unknown_version")
    assert "no version before 1" in refused.json()["error"]
    assert error(ladder.ask("POST", "/rollback", json={"version": 9})) == (404, "unknown_version")
    assert ladder.answering() == 1


def test_roll_back_passes_over_a_deleted_version(ladder: Ladder) -> None:
    assert ladder.ask("DELETE", "/versions/2").status_code == 200
    assert ladder.roll_back() == 1


def test_requests_go_on_while_versions_are_switched(ladder: Ladder) -> None:
    done = threading.Event()
    answers: list[httpx.Response] = []

    def ask() -> None:
        with http_client(ladder.server.url) as http:
            while not done.is_set():
                document = {"model": "ladder", "values": [1, 2, 3]}
                answers.append(http.post("/json", json=document))

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        for number in (2, 3, 1, 3, 2, 1) * 2:
            assert ladder.ask("POST", "/rollback", json={"version": number}).status_code == 200
            # Each may be at one that it asked for before.
            enough = len(answers) + len(askers) + 1
            until(lambda enough=enough: len(answers) >= enough)  # type: ignore[misc]
    finally:
        done.set()
        for asker in askers:
            asker.join()
    assert {ladder.version_of(answer) for answer in answers} >= {1, 2, 3}


def test_the_newest_upload_is_the_default_model_whatever_is_rolled_back(
    ladder: Ladder, server: RunningServer, scale_graph: ScaleGraph
) -> None:
    assert server.upload("other", scale_graph(7.0)).status_code == 200
    ladder.roll_back()
    assert server.predict(values=[1, 2, 3]).json() == [7.0, 14.0, 21.0]
    server.http.delete("/delete/other")
    assert server.predict(values=[1, 2, 3]).json() == [2.0, 4.0, 6.0]
    assert ladder.version_of(server.predict(version=3, values=[1, 2, 3])) == 3


# What is kept.


def test_versions_that_are_live_or_labelled_are_kept_beyond_keep_versions(ladder: Ladder) -> None:
    ladder.label("canary", 1)
    ladder.upload(3)
    assert ladder.numbers() == [1, 4, 5, 6]
    assert ladder.answering(label="canary") == 1
    assert ladder.roll_back(4) == 4
    ladder.ask("DELETE", "/labels/canary")
    ladder.upload()
    # Nothing names 1 and 4 any more, for the upload is live.
    assert ladder.numbers() == [5, 6, 7]
    assert ladder.roll_back() == 6


# Bad input.


@pytest.mark.parametrize("path", ["0", "-1", "03", "x", "1.0", "99999999999", "%C2%B2", "%00"])
def test_a_path_with_what_is_no_version_is_refused(fixed: Ladder, path: str) -> None:
    for method, rest in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/download"),
        ("POST", "/predict/json"),
    ):
        answer = fixed.ask(method, f"/versions/{path}{rest}")
        assert error(answer) == (422, "does_not_fit")
        assert answer.json()["error"].startswith("version is ")


BODIES = {
    b"{": 400,
    b"\xff": 400,
    b'{"version": %b}' % (b"9" * 5000): 400,
    b"[" * 50_000: 400,
    b"[" * 100_000: 413,
    b"3": 422,
    b"{}": 422,
    b"[3]": 422,
    b'{"Version": 3}': 422,
    b'{"version": null}': 422,
    b'{"version": 0}': 422,
    b'{"version": -3}': 422,
    b'{"version": true}': 422,
    b'{"version": 3.0}': 422,
    b'{"version": "3"}': 422,
    b'{"version": [3]}': 422,
    b'{"version": 99999999999999999999}': 422,
    b'{"version": 33}': 404,
}


@pytest.mark.parametrize(("body", "status"), BODIES.items(), ids=range(len(BODIES)))
def test_a_body_that_names_no_version_is_refused(fixed: Ladder, body: bytes, status: int) -> None:
    for method, path in (("POST", "/rollback"), ("PUT", "/labels/canary")):
        answer = fixed.ask(method, path, content=body)
        assert answer.status_code == status
        assert len(answer.json()["error"]) < 300
    assert fixed.ask("PUT", "/labels/canary").status_code == 400
    assert fixed.ask("GET", "/labels").json() == {"canary": 1}
    assert fixed.answering() == 3


def test_what_there_is_not_is_unknown(fixed: Ladder, server: RunningServer) -> None:
    assert error(server.predict(model="fixed", version=9, values=[1])) == (404, "unknown_version")
    assert error(server.predict(model="fixed", label="x", values=[1])) == (404, "unknown_version")
    assert error(server.predict(model="nobody", version=1, values=[1])) == (404, "unknown_model")
    for method, path in (
        ("GET", "/versions"),
        ("GET", "/versions/1"),
        ("DELETE", "/versions/1"),
        ("GET", "/versions/1/download"),
        ("POST", "/rollback"),
        ("GET", "/labels"),
        ("DELETE", "/labels/a"),
        ("POST", "/versions/1/predict/json"),
    ):
        for name in ("nobody", "-bad", "%00", "x" * 200):
            content = b"{}" if path.endswith("json") else None
            answer = server.http.request(method, f"/models/{name}{path}", content=content)
            assert error(answer) == (404, "unknown_model")
    put = server.http.put("/models/nobody/labels/a", json={"version": 1})
    assert error(put) == (404, "unknown_model")
