"""``tfaas conformance``: what it takes, and what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.certificates import Authority
from tests.cli.conftest import Fails, Tfaas
from tests.server.changing_calls import serving
from tests.server.changing_proxy import Answered, Sent, changing
from tfaas_core.cli import main

HEALTHY = {"/v2/health/live": 200, "/v2/health/ready": 200, "/v2/health/live?probe=1": 200}
METHOD = "oip.health.method"


class Seen:
    """A server that is healthy, and has no models, and what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[Sent] = []

    def answer(self, sent: Sent) -> Answered:
        self.sent.append(sent)
        status = HEALTHY.get(sent.path, 404) if sent.method == "GET" else 405
        body = b"" if status == 200 else b'{"error": "no"}'
        return Answered(status, {"content-type": "application/json"}, body)


@pytest.fixture
def server() -> Iterator[Seen]:
    seen = Seen()
    with changing("http://127.0.0.1", lambda sent, _ask: seen.answer(sent)) as url:
        seen.url = url
        yield seen


def test_a_table_tells_of_each_group(tfaas: Tfaas, server: Seen) -> None:
    lines = tfaas("conformance", server.url, "--only", "oip.health").splitlines()
    assert lines == [
        "skipped 2: the server does not serve model conformance_affine: 404",
        "skipped 1: the server does not serve model conformance_affine, version 1: 404",
        "GROUP       PASSED  FAILED  SKIPPED",
        "oip.health  6       0       3",
        "all         6       0       3",
    ]


def test_what_passed_is_named_if_that_is_asked_for(tfaas: Tfaas, server: Seen) -> None:
    told = tfaas("conformance", server.url, "--only", METHOD, "-v").splitlines()
    assert told[0].startswith(f"passed {METHOD} (SHOULD): Health is asked by GET")


def test_what_is_no_must_can_be_left_out(tfaas: Tfaas, server: Seen) -> None:
    told = tfaas("conformance", server.url, "--only", "oip.health.*", "--must", "-v")
    assert METHOD not in told
    assert "SHOULD" not in told


def test_json_has_all_of_it(tfaas: Tfaas, server: Seen) -> None:
    told = json.loads(tfaas("conformance", server.url, "--only", "oip.health", "--json"))
    assert (told["conforms"], told["passed"], told["failed"], told["skipped"]) == (True, 6, 0, 3)
    assert len(told["cases"]) == 9
    assert told["cases"][0] == {
        "id": "oip.health.live",
        "mark": "MUST",
        "sentence": "A server that is alive answers 200.",
        "result": "passed",
        "fault": None,
        "reason": "",
    }


def test_a_failure_tells_what_was_asked_expected_and_answered(
    server: Seen, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(HEALTHY, "/v2/health/live", 503)
    assert main(["conformance", server.url, "--only", "oip.health.live"]) == 1
    told = capfd.readouterr()
    assert told.err == ""
    assert told.out.splitlines()[:4] == [
        "failed oip.health.live (MUST): A server that is alive answers 200.",
        "  request   GET /v2/health/live",
        "  expected  status 200",
        '  got       503 {"error": "no"}',
    ]


def test_who_may_not_ask_fails(
    server: Seen, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(HEALTHY, "/v2/models/conformance_affine/ready", 401)
    assert main(["conformance", server.url, "--only", "oip.health.model_ready"]) == 1
    assert '  got       401 {"error": "no"}' in capfd.readouterr().out


def test_it_fails_if_nothing_passed(server: Seen, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", server.url, "--only", "oip.infer.row"]) == 1
    assert capfd.readouterr().out.splitlines()[-1].split() == ["all", "0", "0", "1"]


def test_one_protocol_can_be_chosen(server: Seen, capfd: pytest.CaptureFixture[str]) -> None:
    main(["conformance", server.url, "--protocol", "tfserving"])
    told = capfd.readouterr().out
    assert "tfserving.rows" in told
    assert "oip." not in told


def test_headers_and_the_token_go_with_each_request(
    tfaas: Tfaas, server: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFAAS_TOKEN", "of-alice")
    tfaas("conformance", server.url, "--only", METHOD, "--header", "X-Tenant: blue")
    assert server.sent[-1].headers["x-tenant"] == "blue"
    assert server.sent[-1].headers["authorization"] == "Bearer of-alice"
    tfaas("conformance", server.url, "--only", METHOD, "--header", "authorization: Basic eA==")
    assert server.sent[-1].headers["authorization"] == "Basic eA=="


def test_a_url_may_have_a_path(tfaas: Tfaas, server: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HEALTHY, "/models/here/v2/health/live", 200)
    tfaas("conformance", f"{server.url}/models/here/", "--only", "oip.health.live")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "give a URL, --grpc HOST:PORT, or --write-models FOLDER"),
        (["--upload"], "give a URL, --grpc HOST:PORT, or --write-models FOLDER"),
        (["localhost:8000"], "'localhost:8000' is not like http://127.0.0.1:8083"),
        (["http://a:99999"], "Invalid value for URL: Port out of range 0-65535"),
        (["http://a", "--header", "X"], "'X' is not like 'Authorization: Bearer TOKEN'"),
        (["http://a", "--header", "X: a\nb"], "the value of X is not one line of ASCII"),
        (["--grpc", "localhost"], "'localhost' is not like localhost:8001"),
        (["--grpc", "https://a/b:1"], "'https://a/b:1' is not like localhost:8001"),
        (["http://a", "--timeout", "0"], "0 is not above 0, and at most 3600"),
        (["http://a", "--timeout", "nan"], "nan is not above 0, and at most 3600"),
    ],
)
def test_what_is_wrong_with_the_call_is_said(
    fails: Fails, arguments: list[str], expected: str
) -> None:
    assert fails("conformance", *arguments, status=2).endswith(expected)


def test_a_pattern_that_no_case_is_like_is_an_error(fails: Fails) -> None:
    said = fails("conformance", "http://127.0.0.1:1", "--only", "oip.dreams.*")
    assert said == "no case is like 'oip.dreams.*'"


def test_a_folder_that_cannot_be_written_is_named(fails: Fails, here: Path) -> None:
    (here / "file").write_text("")
    said = fails("conformance", "--write-models", here / "file" / "models")
    assert said.startswith("the models cannot be written: ")
    assert str(here / "file") in said


def test_models_for_a_server_that_is_no_tfaas_cannot_be_uploaded(
    fails: Fails, server: Seen
) -> None:
    assert fails("conformance", server.url, "--upload") == "no"


class Alive(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Says that it is alive, and keeps the metadata of the last call."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}

    def service(self, details: Any) -> Any:
        self.metadata = dict(details.invocation_metadata)
        return grpc.unary_unary_rpc_method_handler(lambda _message, _context: b"\x08\x01")


LIVE = ("--only", "oip.grpc.server.live")


def test_grpc_may_be_tried_alone(tfaas: Tfaas) -> None:
    alive = Alive()
    with serving(alive) as address:
        told = tfaas("conformance", "--grpc", address, *LIVE, "--header", "X-Tenant: blue")
    assert told.splitlines()[-1].split() == ["all", "1", "0", "0"]
    assert alive.metadata["x-tenant"] == "blue"


def test_both_may_be_tried_at_once(tfaas: Tfaas, server: Seen) -> None:
    with serving(Alive()) as address:
        told = tfaas("conformance", server.url, "--grpc", address, "--only", "oip.*.live")
    assert [line.split()[0] for line in told.splitlines()] == [
        "GROUP",
        "oip.health",
        "oip.grpc.server",
        "all",
    ]


def test_grpc_may_be_spoken_by_tls(
    tfaas: Tfaas, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    authority = Authority(here)
    pem = authority.signed("server").read_bytes()
    credentials = grpc.ssl_server_credentials(
        [(pem, pem)], authority.cert.read_bytes(), require_client_auth=True
    )
    client = authority.signed("client", "/CN=alice")
    with serving(Alive(), credentials) as address:
        known = ("--ca", authority.cert, "--cert", client)
        tfaas("conformance", "--grpc", f"https://{address}", *LIVE, *known)
        stranger = ("conformance", "--grpc", f"https://{address}", *LIVE)
        assert main([*stranger, "--timeout", "5"]) == 1
    assert "no answer" in capfd.readouterr().out


def test_it_imports_no_extra(server: Seen) -> None:
    code = f"from tfaas_core.cli import main; main(['conformance', {server.url!r}, '--only'"
    code += ", 'health']); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "msgspec" in loaded
    assert {"numpy", "sanic", "tensorflow", "httpx", "pytest", "psutil", "grpc"}.isdisjoint(loaded)
