"""The access log, as an operator sees it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer

INLINE = ("server.workers=1", "engine.isolation=inline")
ENABLED = "plugins.access_log.enabled=true"
ROW = {"values": [1, 2, 3], "model": "vk"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("access")


@pytest.fixture(scope="module")
def lines(folder: Path) -> list[dict[str, Any]]:
    """What is logged, as JSON, of an upload, a prediction, two refusals and a strange path."""
    file = folder / "access.jsonl"
    settings = (ENABLED, f"plugins.access_log.file={file}", "server.log_format=json", *INLINE)
    with fake_server(folder, *settings) as server:
        ask(server)
    return [json.loads(line) for line in file.read_text().splitlines()]


def ask(server: RunningServer) -> None:
    server.upload("vk", b"sum")
    assert server.http.post("/json", json=ROW).status_code == 200
    assert server.http.post("/models/vk/predict/json", json={"values": "x"}).status_code == 422
    assert server.http.post("/json", json=ROW | {"model": "nobody"}).status_code == 404
    assert server.http.get("/no%0Athing").status_code == 404


def only(lines: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    (line,) = [line for line in lines if fields.items() <= line.items()]
    return line


def test_a_prediction_is_told_with_its_times(lines: list[dict[str, Any]]) -> None:
    line = only(lines, route="/json", status=200)
    assert (line["model"], line["version"], line["codec"], line["rows"]) == ("vk", 1, "json", 1)
    assert (line["method"], line["path"], line["client"]) == ("POST", "/json", "127.0.0.1")
    assert 0 < line["run_s"] < line["run_s"] + line["wait_s"] < line["duration_s"]
    assert line["request_bytes"] > line["answer_bytes"] > 0
    assert line["logger"] == "tfaas.access"


def test_a_refusal_is_told_with_its_code(lines: list[dict[str, Any]]) -> None:
    line = only(lines, status=422)
    assert (line["route"], line["model"]) == ("/models/{name}/predict/json", "vk")
    assert line["code"] == "does_not_fit"
    assert "run_s" not in line
    line = only(lines, code="unknown_model")
    assert (line["codec"], "model" in line) == ("json", False)


def test_what_nobody_serves_is_told_without_a_route(lines: list[dict[str, Any]]) -> None:
    line = only(lines, code="not_found")
    assert (line["path"], "route" in line) == ("/no%0Athing", False)


def test_an_upload_is_told_though_its_body_is_streamed(lines: list[dict[str, Any]]) -> None:
    line = only(lines, route="/upload")
    assert (line["status"], "request_bytes" in line) == (200, False)


def test_unless_a_file_is_named_lines_go_to_stderr_whatever_the_level(tmp_path: Path) -> None:
    settings = (ENABLED, "plugins.access_log.events=false", "server.log_level=error", *INLINE)
    with fake_server(tmp_path, *settings) as server:
        ask(server)
    text = server.log.read_text()
    assert re.search(r"127\.0\.0\.1 POST /json 200 codec=json model=vk version=1 rows=1 in=", text)
    assert text.count(" tfaas.access[") == len(text.splitlines()) == 5


def test_without_being_asked_it_says_nothing_of_predictions(tmp_path: Path) -> None:
    with fake_server(tmp_path, *INLINE) as server:
        ask(server)
    assert "POST" not in server.log.read_text()


def test_unless_it_is_switched_off_refusals_and_changes_are_told(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    token = "of-alice-and-nobody-else"
    settings = (f"plugins.access_log.file={file}", "server.log_format=json", *INLINE)
    with fake_server(
        tmp_path, *settings, f'plugins.token_guard.tokens={{alice = "{token}"}}'
    ) as server:
        assert server.http.get("/status").status_code == 401
        server.http.headers["Authorization"] = f"Bearer {token}"
        server.http.headers["X-Request-Id"] = "of-a-test"
        for _ in range(2):
            assert server.upload("vk", b"sum").status_code == 200
        assert server.upload("no", b"nonsense").status_code == 422
        assert server.http.post("/models/vk/rollback").status_code == 200
        assert server.http.get("/models").status_code == 200
        answer = server.http.delete("/delete/vk")
        assert (answer.status_code, answer.headers["X-Request-Id"]) == (200, "of-a-test")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    requests = [line for line in lines if "status" in line]
    assert [(line["method"], line["path"], line["status"]) for line in requests] == [
        ("GET", "/status", 401),
        ("POST", "/upload", 422),
        ("POST", "/models/vk/rollback", 200),
        ("DELETE", "/delete/vk", 200),
    ]
    assert {line["client"] for line in requests} == {"127.0.0.1"}
    assert "identity" not in requests[0]
    assert requests[0]["request_id"] not in ("", "of-a-test")
    assert {line["identity"] for line in requests[1:]} == {"alice"}
    assert {line["request_id"] for line in requests[1:]} == {"of-a-test"}
    assert [line["model"] for line in requests[1:]] == ["no", "vk", "vk"]
    uploads = [line for line in lines if line.get("event") == "uploaded"]
    assert [line["version"] for line in uploads] == [1, 2]
    assert {(line["identity"], line["address"], line["request_id"]) for line in uploads} == {
        ("alice", "127.0.0.1", "of-a-test")
    }


def test_a_file_that_log_rotation_moved_away_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    with fake_server(tmp_path, ENABLED, f"plugins.access_log.file={file}", *INLINE) as server:
        server.http.get("/models")
        file.rename(tmp_path / "access.log.1")
        server.http.get("/status")
    assert "GET /models" in (tmp_path / "access.log.1").read_text()
    assert "GET /status" in file.read_text()


def test_a_disk_that_is_full_harms_no_request(tmp_path: Path) -> None:
    settings = (ENABLED, "plugins.access_log.file=/dev/full", *INLINE)
    with fake_server(tmp_path, *settings) as server:
        assert [server.http.get("/models").status_code for _ in range(3)] == [200] * 3
    text = server.log.read_text()
    assert text.count("the observer AccessLog of plugin tfaas_plugins.access_log failed") == 1
    assert "No space left on device" in text


def test_a_file_that_cannot_be_opened_is_a_start_up_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "missing" / "access.log"
    with (
        pytest.raises(AssertionError),
        fake_server(tmp_path, ENABLED, f"plugins.access_log.file={file}", *INLINE),
    ):
        pass
    said = (tmp_path / "server.log").read_text()
    assert f"{file} cannot be opened: No such file or directory" in said
    assert "Traceback" not in said


def test_with_a_share_predictions_are_drawn_and_refusals_and_changes_are_all_told(
    tmp_path: Path,
) -> None:
    file = tmp_path / "access.jsonl"
    settings = (ENABLED, f"plugins.access_log.file={file}", "plugins.access_log.format=json")
    with fake_server(tmp_path, *settings, "plugins.access_log.share=0.0", *INLINE) as server:
        ask(server)
        assert server.upload("vk", b"nonsense").status_code == 422
        assert server.http.delete("/delete/vk").status_code == 200
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    told = [(line["method"], line["path"], line["status"]) for line in lines if "status" in line]
    assert told == [("POST", "/upload", 422), ("DELETE", "/delete/vk", 200)]
    assert {"loaded", "uploaded"} <= {line.get("event") for line in lines}


def test_with_a_share_of_all_none_is_told_twice(tmp_path: Path) -> None:
    file = tmp_path / "access.jsonl"
    settings = (ENABLED, f"plugins.access_log.file={file}", "plugins.access_log.format=json")
    with fake_server(tmp_path, *settings, "plugins.access_log.share=0.9999999", *INLINE) as server:
        ask(server)
        assert server.http.delete("/delete/vk").status_code == 200
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    ids = [line["request_id"] for line in lines if "status" in line]
    assert len(ids) == len(set(ids)) == 6


def test_records_for_monit_go_to_the_file_and_all_else_to_the_log(tmp_path: Path) -> None:
    file = tmp_path / "monit.jsonl"
    settings = (ENABLED, f"plugins.access_log.file={file}", "plugins.access_log.format=monit")
    with fake_server(tmp_path, *settings, *INLINE) as server:
        ask(server)
        assert server.http.delete("/delete/vk").status_code == 200
    records = [json.loads(line) for line in file.read_text().splitlines()]
    data = [record["data"] for record in records]
    assert [(each["method"], each["api"], each["status"]) for each in data][:3] == [
        ("POST", "upload", 200),
        ("POST", "json", 200),
        ("POST", "json", 422),
    ]
    assert len(data) == 6
    text = server.log.read_text()
    assert " uploaded vk version=1 " in text
    assert " DELETE /delete/vk 200 " in text
    assert "POST /json" not in text
