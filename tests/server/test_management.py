"""A port of its own for management: what is where, and that both go on, and end, as one."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tfaas_core.cli import main
from tfaas_core.testing.clients import Clients, fake_server
from tfaas_core.testing.server import RunningServer, http_client
from tfaas_core.testing.waiting import until

SETTINGS = ("server.admin_port=0", "server.base=/tfaas")

PREDICTIONS = (
    *("/json", "/predict", "/predict/json", "/models/sum/predict/json", "/models/sum/predict"),
    "/models/sum/versions/1/predict/json",
)

MANAGEMENT = (
    *(("GET", path) for path in ("/models", "/models/sum", "/models/sum/download", "/status")),
    *(("GET", path) for path in ("/models/sum/versions", "/models/sum/labels", "/params")),
    *(("HEAD", "/models"), ("PUT", "/models/sum/labels/a"), ("POST", "/models/sum/rollback")),
    *(("POST", "/upload"), ("DELETE", "/delete/no"), ("DELETE", "/models/no/versions/1")),
    *(("GET", path) for path in ("/v1/models", "/v2/models", "/v2/models/stats", "/v2/logging")),
    *(
        ("POST", f"/v2/repository/{what}")
        for what in ("index", "models/no/load", "models/no/unload")
    ),
    *(("GET", "/V2/models/"), ("POST", "/V2/repository/index"), ("HEAD", "/V1/models")),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Two workers, with the model ``sum``."""
    access_log = "plugins.access_log.enabled=true"
    folder = tmp_path_factory.mktemp("management")
    with fake_server(folder, *SETTINGS, access_log) as running, management(running) as admin:
        upload(admin, "sum")
        yield running


@pytest.fixture
def admin(server: RunningServer) -> Iterator[httpx.Client]:
    """A client of the port for management."""
    with management(server) as client:
        yield client


def management(server: RunningServer) -> httpx.Client:
    found = re.search(r", management at (http://127\.0\.0\.1:\d+\S*)\n$", server.start_line)
    assert found, server.start_line
    return http_client(found[1])


def upload(admin: httpx.Client, name: str) -> None:
    answer = admin.post("/upload", data={"name": name}, files={"model": ("m.pb", b"sum")})
    assert answer.status_code == 200, answer.text


def is_elsewhere(answer: httpx.Response, port: str) -> bool:
    path = answer.request.url.path
    expected = f"{path} is on another port: that for {port}"
    told = answer.request.method == "HEAD" or answer.json()["error"] == expected
    return answer.status_code == 404 and told


@pytest.mark.parametrize("path", PREDICTIONS)
def test_predictions_are_on_the_servers_own_port(
    server: RunningServer, admin: httpx.Client, path: str
) -> None:
    row = {"values": [1, 2, 3], "model": "sum"}
    assert server.http.post(path, json=row).text == "[6.0]"
    answer = admin.post(path, json=row)
    assert is_elsewhere(answer, "predictions (server.port)")


@pytest.mark.parametrize(("method", "path"), MANAGEMENT)
def test_all_else_is_on_that_for_management(
    server: RunningServer, admin: httpx.Client, method: str, path: str
) -> None:
    assert is_elsewhere(server.http.request(method, path), "management (server.admin_port)")
    answer = admin.request(method, path)
    assert answer.status_code != 405
    assert method == "HEAD" or "on another port" not in answer.text


@pytest.mark.parametrize("path", ["/v1/models/sum", "/v2/models/sum/ready", "/v2/models/sum/stats"])
def test_what_is_told_of_one_model_is_where_it_is_asked(
    server: RunningServer, admin: httpx.Client, path: str
) -> None:
    assert server.http.get(path).status_code == 200
    assert is_elsewhere(admin.get(path), "predictions (server.port)")


@pytest.mark.parametrize("path", ["/v1/Models", "/v2/MODELS", "/v2/models/Stats", "/v2/Logging"])
def test_no_other_spelling_of_a_list_shows_it_to_those_who_predict(
    server: RunningServer, path: str
) -> None:
    answer = server.http.get(path)
    assert answer.status_code in (400, 404)
    assert "sum" not in answer.text


def test_what_nobody_serves_is_nowhere(server: RunningServer, admin: httpx.Client) -> None:
    for client in (server.http, admin):
        answer = client.get("/nowhere")
        assert answer.status_code == 404
        assert "nothing is served at" in answer.json()["error"]
    # A path of the other port tells not even its methods.
    assert "allow" not in server.http.patch("/models").headers
    assert server.http.get("/json").headers["allow"] == "POST"
    assert admin.patch("/models").headers["allow"] == "GET, HEAD"


def test_observers_are_told_of_both(server: RunningServer, admin: httpx.Client) -> None:
    admin.get("/models/sum?seen=admin")
    server.http.post("/models/sum/predict/json", json={"values": [1, 2, 3]})
    log = server.log.read_text
    until(lambda: re.search(r"GET \S*/models/\S+ 200", log()) is not None)
    until(lambda: re.search(r"POST \S*/predict/json 200 .*model=sum", log()) is not None)


def test_commands_manage_and_predict_on_the_port_of_each(
    server: RunningServer, admin: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.pb").write_bytes(b"times 2")
    url = str(admin.base_url)
    assert main(["upload", str(tmp_path / "model.pb"), "--name", "twice", "--url", url]) == 0
    predict = ["predict", "twice", "--values", "[1, 2, 3]", "--url"]
    assert main([*predict, server.url]) == 0
    assert capsys.readouterr().out.endswith("[12.0]\n")
    assert main([*predict, url]) == 1
    expected = "is on another port: that for predictions (server.port)"
    assert expected in capsys.readouterr().err
    assert main(["delete", "twice", "--url", url]) == 0


def test_both_go_on_as_workers_die(server: RunningServer, admin: httpx.Client) -> None:
    for worker in server.workers():
        os.kill(worker.pid, 9)
        until(lambda: len(server.workers()) == 2, what="another worker is there")

    def answers() -> bool:
        try:
            assert server.http.post("/models/sum/predict", json={"values": [1, 2, 3]}).is_success
            return admin.get("/models").is_success
        except httpx.TransportError:  # of the connections that died with a worker
            return False

    until(answers)


@pytest.mark.parametrize("lane", [{}, {"Expect": "100-continue"}], ids=["express", "Sanic's"])
def test_guards_are_asked_on_both(tmp_path: Path, lane: dict[str, str]) -> None:
    token = 'plugins.token_guard.tokens={ alice = "of-alice" }'
    alice = lane | {"Authorization": "Bearer of-alice"}
    settings = *SETTINGS, "server.workers=1", token
    with fake_server(tmp_path, *settings) as server, management(server) as admin:
        form: dict[str, object] = {"data": {"name": "sum"}, "files": {"model": ("m.pb", b"sum")}}
        for headers, status in ((lane, 401), (alice, 200)):
            assert admin.post("/upload", headers=headers, **form).status_code == status  # type: ignore[arg-type]
            row = {"values": [1, 2, 3]}
            answer = server.http.post("/json", json=row, headers=headers)
            assert answer.status_code == status


def test_messages_say_if_the_models_are_listed_on_the_other_port(
    server: RunningServer, admin: httpx.Client
) -> None:
    asked = server.http.post("/json", json={"model": "nobody", "values": [1]})
    said = (
        "there is no model 'nobody'; see /tfaas/models on the port for management "
        "(server.admin_port)"
    )
    assert (asked.status_code, asked.json()["error"]) == (404, said)
    deleted = admin.delete("/delete/nobody")
    said = "there is no model 'nobody'; see /tfaas/models"
    assert (deleted.status_code, deleted.json()["error"]) == (404, said)


def test_a_stop_answers_what_has_come_on_both(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.admin_port=0") as server, management(server) as admin:
        upload(admin, "sum")
        form = httpx.Request("POST", "/", data={"name": "late"}, files={"model": ("m.pb", b"sum")})
        body, media_type = form.read(), form.headers["content-type"]
        head = f"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\n"
        address = admin.base_url.host, admin.base_url.port
        with Clients(server, "sum") as clients, socket.create_connection(address, 60) as late:
            late.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-9])
            clients.wait_for(20)
            server.parent.terminate()
            until(lambda: is_shut(server.url))
            late.sendall(body[-9:])
            assert late.recv(100).startswith(b"HTTP/1.1 200 OK")
        assert server.process.wait(60) == 0
        assert "ERROR" not in server.log.read_text()
        statuses = [status for status in clients.statuses("sum") if isinstance(status, int)]
        assert statuses == [200]
        assert (tmp_path / "models" / "late" / "1").is_dir()


def is_shut(url: str) -> bool:
    try:
        httpx.get(f"{url}/status", timeout=0.5, verify=False)
    except httpx.TransportError:
        return True
    return False
