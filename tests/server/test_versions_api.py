"""/models/NAME/versions, /rollback and /labels, and predictions that name a version."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from msgspec import msgpack
from PIL import Image
from tfaas_plugins.tfaas_pb2 import Predictions, Row

from tfaas_core.testing.server import RunningServer, running_server
from tfaas_core.versions import MAX_LABELS

ScaleGraph = Callable[[float], bytes]

CONNECTIONS = 12
"""So many that each of two HTTP workers accepts some."""


class Ladder:
    """A model whose version N multiplies rows of 3 by N."""

    def __init__(self, server: RunningServer, scale_graph: ScaleGraph, name: str) -> None:
        self.server = server
        self.name = name
        self._scale_graph = scale_graph
        self._highest = 0

    def upload(self, count: int = 1) -> None:
        for _ in range(count):
            self._highest += 1
            answer = self.server.upload(self.name, self._scale_graph(float(self._highest)))
            assert answer.json()["version"] == self._highest, answer.text

    def ask(self, method: str, path: str = "", **options: object) -> httpx.Response:
        return self.server.http.request(method, f"/models/{self.name}{path}", **options)  # type: ignore[arg-type]

    def numbers(self) -> list[int]:
        return [record["version"] for record in self.ask("GET", "/versions").json()]

    def roll_back(self, number: int | None = None) -> int:
        """The number that is live now, as all workers say."""
        body = {} if number is None else {"json": {"version": number}}
        answer = self.ask("POST", "/rollback", **body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["live"] is True
        live = self.answering()
        assert answer.json()["version"] == live
        return live

    def label(self, label: str, number: int) -> None:
        answer = self.ask("PUT", f"/labels/{label}", json={"version": number})
        assert answer.status_code == 200, answer.text
        assert answer.json()["version"] == number
        assert label in answer.json()["versionLabels"]

    def predict(self, **named: object) -> int:
        """The number of the version that answered, as both the row and the header have it."""
        return self.version_of(
            self.server.predict(**{"model": self.name} | named, values=[1, 2, 3])
        )

    def version_of(self, answer: httpx.Response) -> int:
        assert answer.status_code == 200, answer.text
        row = answer.json()
        assert row == [row[0], 2 * row[0], 3 * row[0]]
        assert answer.headers["TFaaS-Model"] == f"{self.name}/{row[0]:.0f}"
        return int(row[0])

    def answering(self, **named: object) -> int:
        """The same, asked over many connections, and so of all workers."""
        document = {"model": self.name} | named | {"values": [1, 2, 3]}
        found = {
            self.version_of(httpx.post(f"{self.server.url}/json", json=document, timeout=60))
            for _ in range(CONNECTIONS)
        }
        assert len(found) == 1, f"the workers do not agree: {found}"
        return found.pop()


@pytest.fixture
def ladder(server: RunningServer, scale_graph: ScaleGraph) -> Iterator[Ladder]:
    """Versions 1 to 3."""
    made = Ladder(server, scale_graph, "ladder")
    made.upload(3)
    yield made
    server.http.delete("/delete/ladder")


@pytest.fixture(scope="module")
def fixed(server: RunningServer, scale_graph: ScaleGraph) -> Iterator[Ladder]:
    """Versions 1 to 3, the first one labelled, for the tests that change nothing."""
    made = Ladder(server, scale_graph, "fixed")
    made.upload(3)
    made.label("canary", 1)
    yield made
    server.http.delete("/delete/fixed")


def error(answer: httpx.Response) -> tuple[int, str]:
    assert answer.json()["status"] == answer.status_code
    return answer.status_code, answer.json()["code"]


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
    assert records[-1] == live | {"live": True, "versionLabels": []}
    assert list(records[-1])[-2:] == ["live", "versionLabels"]
    for record in records:
        assert ladder.ask("GET", f"/versions/{record['version']}").json() == record


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
    for _ in range(CONNECTIONS):
        document = {"model": "ladder", "version": 2, "values": [1, 2, 3]}
        gone = httpx.post(f"{ladder.server.url}/json", json=document, timeout=60)
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
        with httpx.Client(base_url=ladder.server.url, timeout=60) as http:
            while not done.is_set():
                document = {"model": "ladder", "values": [1, 2, 3]}
                answers.append(http.post("/json", json=document))

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        for number in (2, 3, 1, 3, 2, 1) * 2:
            assert ladder.ask("POST", "/rollback", json={"version": number}).status_code == 200
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


# Labels.


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
    for _ in range(CONNECTIONS):
        document = {"model": "ladder", "label": "canary", "values": [1, 2, 3]}
        gone = httpx.post(f"{ladder.server.url}/json", json=document, timeout=60)
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


def test_versions_and_labels_are_there_after_a_restart(
    tmp_path: Path, scale_graph: ScaleGraph
) -> None:
    with running_server(tmp_path, "server.workers=1") as first:
        ladder = Ladder(first, scale_graph, "ladder")
        ladder.upload(3)
        ladder.label("canary", 1)
        assert ladder.roll_back() == 2
    with running_server(tmp_path, "server.workers=2") as second:
        again = Ladder(second, scale_graph, "ladder")
        assert again.answering() == 2
        assert again.answering(label="canary") == 1
        assert again.roll_back() == 1


# Predictions.


def test_a_prediction_names_a_version_or_a_label_in_its_body(fixed: Ladder) -> None:
    for named, number in (
        ({}, 3),
        ({"version": 2}, 2),
        ({"label": "canary"}, 1),
        ({"version": None, "label": ""}, 3),
        ({"version": 3, "label": None}, 3),
        ({"versions": 1, "labels": ["a"], "tag": "canary"}, 3),
    ):
        assert fixed.predict(**named) == number
        body = msgpack.encode({"model": "fixed", "values": [1, 2, 3]} | named)
        answer = fixed.server.http.post("/msgpack", content=body)
        assert msgpack.decode(answer.content) == [number, 2 * number, 3 * number]
        assert answer.headers["TFaaS-Model"] == f"fixed/{number}"


def test_a_prediction_names_a_version_or_a_label_in_its_path(fixed: Ladder) -> None:
    row = {"values": [1, 2, 3]}
    message = Row(value=[1, 2, 3]).SerializeToString()
    for path, number in (("", 3), ("/versions/2", 2), ("/labels/canary", 1)):
        assert fixed.version_of(fixed.ask("POST", f"{path}/predict/json", json=row)) == number
        packed = fixed.ask("POST", f"{path}/predict/msgpack", content=msgpack.encode(row))
        assert msgpack.decode(packed.content) == [number, 2 * number, 3 * number]
        proto = fixed.ask("POST", f"{path}/predict/proto", content=message)
        classes = Predictions.FromString(proto.content).prediction
        assert [each.probability for each in classes] == [number, 2 * number, 3 * number]
        for answer in (packed, proto):
            assert answer.headers["TFaaS-Model"] == f"fixed/{number}"
    named = fixed.ask("POST", "/predict/json", json=row | {"label": "canary"})
    assert fixed.version_of(named) == 1


def test_pictures_name_a_version_or_a_label_in_their_form_or_path(
    server: RunningServer, frozen: Callable[..., bytes]
) -> None:
    for factor in (1, 2):

        def scale(tf: object, factor: int = factor) -> None:
            x = tf.compat.v1.placeholder(tf.float32, [None, 2, 2], "x")  # type: ignore[attr-defined]
            tf.reduce_sum(x * float(factor), [1, 2], name="y")  # type: ignore[attr-defined]

        assert server.upload("pictures", frozen(scale)).json()["version"] == factor
    server.http.put("/models/pictures/labels/old", json={"version": 1})
    file = io.BytesIO()
    Image.new("L", (2, 2), 10).save(file, "PNG")
    picture = {"image": ("x.png", file.getvalue())}
    sent: list[tuple[str, dict[str, str], int]] = [
        ("/image", {"model": "pictures"}, 2),
        ("/image", {"model": "pictures", "version": "1"}, 1),
        ("/image", {"model": "pictures", "label": "old"}, 1),
        ("/image", {"model": "pictures", "version": "", "label": ""}, 2),
        ("/models/pictures/predict/image", {}, 2),
        ("/models/pictures/versions/1/predict/image", {}, 1),
        ("/models/pictures/labels/old/predict/image", {"model": "pictures", "label": "old"}, 1),
    ]
    for path, form, number in sent:
        answer = server.http.post(path, data=form, files=picture)
        assert answer.json() == [40.0 * number], answer.text
        assert answer.headers["TFaaS-Model"] == f"pictures/{number}"
    whole = server.http.post("/models/pictures/versions/1/predict/image", content=file.getvalue())
    assert whole.json() == [40.0]
    for form in ({"version": "x"}, {"version": "0"}, {"version": "1", "label": "old"}):
        refused = server.http.post("/image", data={"model": "pictures"} | form, files=picture)
        assert error(refused) == (422, "does_not_fit")
    server.http.delete("/delete/pictures")


@pytest.mark.parametrize(
    ("path", "named", "names"),
    [
        ("", {"model": "other"}, ("model 'fixed'", "model 'other'")),
        ("/versions/3", {"model": "other"}, ("model 'fixed'", "model 'other'")),
        ("/versions/3", {"version": 1}, ("version 3", "version 1")),
        ("/versions/3", {"label": "canary"}, ("version 3", "label 'canary'")),
        ("/labels/canary", {"label": "other"}, ("label 'canary'", "label 'other'")),
        ("/labels/canary", {"version": 1}, ("label 'canary'", "version 1")),
        ("", {"version": 1, "label": "canary"}, ("version 1", "label 'canary'")),
        ("/versions/1", {"version": 1, "label": "canary"}, ("version 1", "label 'canary'")),
    ],
)
def test_a_body_that_names_something_else_than_the_path_is_refused(
    fixed: Ladder, path: str, named: dict[str, object], names: tuple[str, str]
) -> None:
    answer = fixed.ask("POST", f"{path}/predict/json", json={"values": [1, 2, 3]} | named)
    assert error(answer) == (422, "does_not_fit")
    for name in names:
        assert name in answer.json()["error"]
    assert "TFaaS-Model" not in answer.headers


def test_a_body_may_say_what_the_path_says(fixed: Ladder) -> None:
    for path, named in (
        ("/versions/1", {"model": "fixed", "version": 1}),
        ("/labels/canary", {"name": "fixed", "label": "canary"}),
        ("/predict", {"model": "fixed", "version": 1}),
    ):
        path = path if path == "/predict" else f"{path}/predict"
        answer = fixed.ask("POST", f"{path}/json", json={"values": [1, 2, 3]} | named)
        assert fixed.version_of(answer) == 1


def test_a_codec_that_there_is_not_is_no_path(fixed: Ladder) -> None:
    for path in ("/predict/x", "/versions/3/predict/x", "/labels/a/predict/x", "/predict"):
        assert error(fixed.ask("POST", path, json={})) == (404, "not_found")


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
    b"[" * 100_000: 400,
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


@pytest.mark.parametrize("label", ["-a", "a%20b", "a%2Fb", "%00", "é", "x" * 129])
def test_a_bad_label_is_refused(fixed: Ladder, label: str) -> None:
    put = fixed.ask("PUT", f"/labels/{label}", json={"version": 1})
    assert error(put) == (422, "does_not_fit")
    assert "cannot name a label" in put.json()["error"]
    assert error(fixed.ask("DELETE", f"/labels/{label}")) == (404, "unknown_version")


@pytest.mark.parametrize("codec", ["json", "msgpack"])
@pytest.mark.parametrize(
    "named",
    [
        *({"version": value} for value in (0, -1, True, 1.0, "1", [1], {"a": 1}, 2**63)),
        *({"label": value} for value in (1, True, ["a"], {"a": 1})),
        {"version": 1, "label": "canary"},
    ],
    ids=str,
)
def test_a_prediction_that_names_no_version_is_refused(
    fixed: Ladder, codec: str, named: dict[str, object]
) -> None:
    document = {"model": "fixed", "values": [1, 2, 3]} | named
    body = msgpack.encode(document) if codec == "msgpack" else json.dumps(document).encode()
    answer = fixed.server.http.post(f"/{codec}", content=body)
    assert error(answer) == (422, "does_not_fit")
    assert "TFaaS-Model" not in answer.headers


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
