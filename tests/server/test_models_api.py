"""/upload, /models and /delete, as curl users know them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server.ladder import ScaleGraph, stored_doubler
from tfaas_core.testing.server import RunningServer

KEYS_IN_ORDER = [
    *("name", "model", "labels", "options", "inputNode", "outputNode", "description", "timestamp"),
    *("version", "runtime", "signature", "size", "checksum"),
]


@pytest.fixture
def doubler(server: RunningServer, scale_graph: ScaleGraph) -> Iterator[str]:
    """One for each test, which may change it."""
    with stored_doubler(server, scale_graph) as name:
        yield name


def curl(*arguments: str) -> object:
    run = subprocess.run(["curl", "-s", *arguments], capture_output=True, check=True, timeout=60)
    return json.loads(run.stdout)


def test_the_documented_upload_line_stores_the_model(
    server: RunningServer, scale_graph: Callable[[float], bytes], tmp_path: Path
) -> None:
    (tmp_path / "tf_model.pb").write_bytes(scale_graph(2.0))
    (tmp_path / "labels.txt").write_text("one\ntwo\nthree\n")
    params = {"name": "curled", "input_node": "x:0", "outputNode": "y", "description": "d", "a": 1}
    (tmp_path / "params.json").write_text(json.dumps(params))
    record = curl(
        *("-X", "POST", f"{server.url}/upload", "-F", "name=curled"),
        *("-F", f"params=@{tmp_path}/params.json", "-F", f"model=@{tmp_path}/tf_model.pb"),
        *("-F", f"labels=@{tmp_path}/labels.txt"),
    )
    assert isinstance(record, dict)
    assert list(record)[: len(KEYS_IN_ORDER)] == KEYS_IN_ORDER
    assert (record["model"], record["labels"]) == ("tf_model.pb", "labels.txt")
    assert (record["inputNode"], record["outputNode"]) == ("x:0", "y")
    assert (record["description"], record["options"], record["a"]) == ("d", None, 1)
    shown = curl(f"{server.url}/models/curled")
    assert isinstance(shown, dict)
    # How many threads is measured.
    assert (shown["engine"]["mode"], shown["engine"]["threads"] > 0) == ("usual", True)
    assert shown == record | {"engine": shown["engine"]}
    assert record in server.http.get("/models").json()
    answer = curl(f"{server.url}/json", "-d", '{"values": [1, 2, 3], "model": "curled"}')
    assert answer == [2.0, 4.0, 6.0]
    assert curl("-X", "DELETE", f"{server.url}/delete", "-F", "model=curled") == {
        "deleted": "curled"
    }


def test_labels_without_a_line_are_none(
    server: RunningServer, scale_graph: Callable[[float], bytes]
) -> None:
    assert server.upload("bare", scale_graph(2.0), labels=b"").json()["labels"] == ""
    server.http.delete("/delete/bare")


@pytest.mark.parametrize(
    ("path", "form"),
    [("/delete/doubler", None), ("/delete?model=doubler", None), ("/delete", "doubler")],
)
def test_a_model_is_deleted_in_three_spellings(
    server: RunningServer, doubler: str, path: str, form: str | None
) -> None:
    files = {"model": (None, form)} if form else None
    answer = server.http.request("DELETE", path, files=files)
    assert answer.status_code == 200, answer.text
    assert doubler not in server.names()
    assert server.predict(model=doubler, values=[1, 2, 3]).status_code == 404
    assert server.http.request("DELETE", path, files=files).status_code == 404


def test_models_are_listed_by_name(
    server: RunningServer, scale_graph: Callable[[float], bytes]
) -> None:
    for name in ("b", "a", "c"):
        assert server.upload(name, scale_graph(1.0)).status_code == 200
    assert server.names() == ["a", "b", "c"]
    for name in ("a", "b", "c"):
        server.http.delete(f"/delete/{name}")


def test_an_upload_under_an_existing_name_makes_a_new_version(
    server: RunningServer, doubler: str, scale_graph: Callable[[float], bytes]
) -> None:
    assert server.predict(model=doubler, values=[1, 2, 3]).json() == [2.0, 4.0, 6.0]
    assert server.upload(doubler, scale_graph(5.0)).json()["version"] == 2
    assert server.predict(model=doubler, values=[1, 2, 3]).json() == [5.0, 10.0, 15.0]
    assert server.http.get(f"/models/{doubler}").json()["version"] == 2


def test_a_predict_request_without_a_model_goes_to_the_newest_upload(
    server: RunningServer, doubler: str, scale_graph: Callable[[float], bytes]
) -> None:
    assert server.predict(values=[1, 2, 3]).json() == [2.0, 4.0, 6.0]
    server.upload("newer", scale_graph(7.0))
    assert server.predict(values=[1, 2, 3]).json() == [7.0, 14.0, 21.0]
    server.http.delete("/delete/newer")
    assert server.predict(values=[1, 2, 3]).json() == [2.0, 4.0, 6.0]


def test_an_unknown_path_or_method_says_so(server: RunningServer) -> None:
    for method, path, status, code in (
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/models/nobody", 404, "unknown_model"),
        ("PUT", "/models", 405, "method_not_allowed"),
        ("GET", "/json", 405, "method_not_allowed"),
    ):
        answer = server.http.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.json()["status"] == status


def test_head_is_answered_where_get_is(server: RunningServer) -> None:
    answer = server.http.head("/models")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_model_that_may_have_several_processes_shows_them(
    server: RunningServer, scale_graph: ScaleGraph
) -> None:
    answer = server.upload("several", scale_graph(2.0), params=b'{"instances": 2}')
    assert "processes" not in answer.json()
    (own,) = server.http.get("/models/several").json()["processes"]
    assert (own["model"], own["state"]) == ("several/1", "ready")
    assert own["pid"] in [each["pid"] for each in server.http.get("/status").json()["models"]]
    server.http.delete("/delete/several")
