"""The commands that talk to a server, with a real one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.client.commands import PARTICLES
from tests.cli.conftest import Fails, Tfaas
from tfaas_core.cli import main
from tfaas_core.testing.server import RunningServer

# Models.


def test_models_are_listed_as_a_table(tfaas: Tfaas) -> None:
    tfaas("upload", PARTICLES)
    tfaas("upload", PARTICLES, "--name", "again")
    header, *rows = (line.split(maxsplit=4) for line in tfaas("models").splitlines())
    assert [row[:4] for row in rows] == [
        ["again", "1", "graph", "207013"],
        ["particles", "1", "graph", "207013"],
    ]
    assert header[:4] == ["NAME", "VERSION", "RUNTIME", "BYTES"]
    assert rows[0][4].split("  ") == ["particles float32 [?, 42]", "signal float32 [?, 1]"]


def test_models_as_json_are_the_servers_records(tfaas: Tfaas, server: RunningServer) -> None:
    assert json.loads(tfaas("models", "--json")) == []
    tfaas("upload", PARTICLES)
    assert json.loads(tfaas("models", "--json")) == server.http.get("/models").json()


def test_models_of_a_server_without_signatures_are_listed_too(
    tfaas: Tfaas, speaker: Callable[[bytes], str]
) -> None:
    records = b'[{"name": "vk", "inputNode": "dense_1_input", "outputNode": "output_node0"}]'
    out = tfaas("models", "--url", speaker(answer(records)))
    assert out.splitlines()[1].split() == ["vk", "?", "?", "?", "dense_1_input", "output_node0"]


# Servers that cannot be asked.


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


COMMANDS: dict[str, list[str | Path]] = {
    "models": ["models"],
    "upload": ["upload", PARTICLES],
    "predict": ["predict", "--values", "[1]"],
    "delete": ["delete", "vk"],
    "download": ["download", "vk"],
    "versions": ["versions", "vk"],
    "rollback": ["rollback", "vk", "2"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unreachable_server_is_named(fails: Fails, command: str) -> None:
    with socket.socket() as bound:  # nobody else gets the port, and nobody listens
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        said = fails(*COMMANDS[command], "--url", url)
    assert said == f"{url} cannot be reached: Connection refused"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (answer(b"<html>", "502 Bad Gateway"), "TFaaS server does: 502 Bad Gateway"),
        (answer(b'{"error": ["?"]}', "400 Bad Request"), "TFaaS server does: 400 Bad Request"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not answer as a TFaaS server does"),
        (b"", "broke"),
    ],
)
def test_a_server_that_speaks_otherwise_is_named(
    fails: Fails, speaker: Callable[[bytes], str], command: str, said: bytes, expected: str
) -> None:
    url = speaker(said)
    sentence = fails(*COMMANDS[command], "--url", url)
    assert expected in sentence
    assert url in sentence


def test_an_answer_of_another_kind_is_no_tfaas_servers(
    fails: Fails, speaker: Callable[[bytes], str]
) -> None:
    for body in (b"hello", b"{}", b'["vk"]', b'[{"id": 1}]'):
        for command in (["models"], ["versions", "vk"]):
            said = fails(*command, "--url", speaker(answer(body)))
            assert said.endswith("does not answer as a TFaaS server does")


def test_an_error_of_several_lines_is_printed_as_one(
    fails: Fails, speaker: Callable[[bytes], str]
) -> None:
    url = speaker(answer(b'{"error": "first\\n  second"}', "422 Unprocessable"))
    assert fails("models", "--url", url) == "first second"


HOSTILE = "\x1b]0;mine\x07\x1b[2J\x9b31m\u202e\r\nb"
HARMLESS = "\\u001b]0;mine\\u0007\\u001b[2J\\u009b31m\\u202e b"


@pytest.mark.parametrize("command", [*COMMANDS, "top"])
def test_an_error_commands_no_terminal(
    fails: Fails, speaker: Callable[[bytes], str], command: str
) -> None:
    refused = json.dumps({"error": HOSTILE}, ensure_ascii=False).encode()
    url = speaker(answer(refused, "400 Bad Request"))
    assert fails(*COMMANDS.get(command, [command, "--once"]), "--url", url) == HARMLESS


def test_nor_does_an_answer(tfaas: Tfaas, speaker: Callable[[bytes], str]) -> None:
    record = {"name": HOSTILE, "version": 1, "inputNode": HOSTILE, "outputNode": HOSTILE}
    said = answer(json.dumps([record], ensure_ascii=False).encode())
    loaded = [{"model": HOSTILE, "state": HOSTILE}]
    status: dict[str, object] = {"version": HOSTILE, "models": loaded}
    status |= {"unavailable": {HOSTILE: HOSTILE}, "figures": {HOSTILE: {}}, "newer": [1]}
    printed = {
        "table": tfaas("models", "--url", speaker(said)),
        "json": tfaas("models", "--json", "--url", speaker(said)),
        "answer": tfaas("predict", "--values", "[1]", "--url", speaker(said)),
        "top": tfaas("top", "--once", "--url", speaker(answer(json.dumps(status).encode()))),
    }
    for name, text in printed.items():
        commanding = {each for each in text if not each.isprintable()}
        assert commanding == {"\n"}, name
        assert "u001b" in text
    assert json.loads(printed["json"]) == json.loads(printed["answer"]) == [record]


@pytest.mark.parametrize(
    "said",
    [
        {"models": [1]},
        {"models": [{"model": None}]},
        {"models": {"a": 1}},
        {"uptime_s": "long"},
        {"figures": {"a": {"errors": [1]}}},
        {"processes": [{"kind": None}]},
        [],
    ],
)
def test_what_top_cannot_show_is_no_tfaas_servers(
    fails: Fails, speaker: Callable[[bytes], str], said: object
) -> None:
    url = speaker(answer(json.dumps(said).encode()))
    assert fails("top", "--once", "--url", url) == f"{url} does not answer as a TFaaS server does"


def test_the_path_of_the_url_is_the_servers_base(
    tmp_path: Path, tfaas: Tfaas, fails: Fails, url: str
) -> None:
    assert "nothing is served at /base/models" in fails("models", "--url", f"{url}/base/")
    assert tfaas("models", "--url", f"{url}/").startswith("NAME")


@pytest.mark.parametrize(
    "arguments",
    [
        *[["models", "--url", bad] for bad in ("x", "ftp://x", "http://", "http://x:y", "x:8083")],
        *[["models", "--url", bad] for bad in ("http://u:p@x", "http://x/?q", "http://[x")],
        *[["upload"], ["upload", "nowhere.pb"], ["upload", PARTICLES, "--params", "nowhere"]],
        *[["predict"], ["predict", "vk"], ["predict", "vk", "--values", "[1"]],
        ["predict", "vk", "--values", "[1]", "--json", "-"],
        *[["predict", "--json", "nowhere"], ["predict", "--image", "nowhere"]],
        *[["delete"], ["download"], ["download", "vk", "-o", "/"]],
        *[["predict", "--values", "1", "--version", bad] for bad in ("0", "-1", "x", "1.0")],
        ["predict", "--values", "1", "--version", "1", "--label", "canary"],
        *[["download", "vk", "--version", "0"], ["versions"], ["versions", "a", "b"]],
        *[["rollback"], ["rollback", "vk", "0"], ["rollback", "vk", "x"]],
    ],
)
def test_wrong_usage_has_status_2(fails: Fails, arguments: list[str | Path]) -> None:
    fails(*arguments, status=2)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Example: tfaas {command}" in out
    assert "TFAAS_URL" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_a_client_starts_without_what_takes_long_to_import(command: str) -> None:
    arguments = list(map(str, COMMANDS[command]))
    code = f"import sys; from tfaas_core.cli import main; main({arguments!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"numpy", "sanic", "tensorflow", "httpx"}.isdisjoint(loaded)
