"""HTTP workers of a whole server are confined, and serve all the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.core.sandbox.test_confine import needs_all, targets
from tests.core.sandbox.worker_attacks import WORKER_ATTACKS
from tests.server.hostile_codec import Orders
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

_PLUGIN = "from tests.server.hostile_codec import tfaas_register_codecs\n"

# The kernel shows the variables that a process was started with, which a fork has not been.
pytestmark = [needs_all, pytest.mark.fresh_python]


@contextmanager
def server_with(folder: Path, plugin: str, *settings: str) -> Iterator[RunningServer]:
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "tried.py").write_text(plugin)
    temporary = folder / "temporary"
    temporary.mkdir()
    # What is attacked lies where all temporary files do.
    env = {"TMPDIR": str(temporary)}
    arguments = ("--plugins-dir", str(plugins))
    with fake_server(folder, "server.workers=1", *settings, arguments=arguments, env=env) as server:
        yield server


def outcomes(server: RunningServer, *names: str) -> Mapping[str, str]:
    with targets() as found:
        body = msgspec.json.encode(Orders([*names], found))
        headers = {"Content-Type": "application/x-hostile"}
        answer = server.http.post("/predict/hostile", headers=headers, content=body)
    assert answer.status_code == 422, answer.text
    told: dict[str, str] = answer.json()["got"]
    return told


def test_every_attack_from_a_codec_of_a_plugin_is_stopped(tmp_path: Path) -> None:
    with server_with(tmp_path, _PLUGIN) as server:
        told = outcomes(server, *WORKER_ATTACKS)
        assert {name for name, how in told.items() if how == "succeeded"} == set()
        assert told.keys() == WORKER_ATTACKS.keys()
        assert server.upload("vk", b"sum").status_code == 200
        assert server.predict(model="vk", values=[1, 2, 3]).json() == [6.0]


def test_nothing_is_stopped_if_it_is_switched_off(tmp_path: Path) -> None:
    with server_with(tmp_path, _PLUGIN, "server.sandbox=off") as server:
        told = outcomes(server, "run_a_program", "write_a_file")
        assert set(told.values()) == {"succeeded"}
        assert server.http.get("/status").json()["worker_sandbox"] == {}


def test_threads_that_libraries_start_are_confined_too(tmp_path: Path) -> None:
    plugin = """
import threading, queue
import numpy
from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Route, json_response

asked, told = queue.Queue(), queue.Queue()

def work():
    while True:
        try:
            open(asked.get(), "w").close()
            told.put("written")
        except OSError as error:
            told.put(str(error))

threading.Thread(target=work, daemon=True).start()

@hookimpl
def tfaas_register_routes(host):
    async def handler(request):
        asked.put(request.query["path"])
        return json_response(told.get())
    return [Route("/tried", ("GET",), handler)]
"""
    with server_with(tmp_path, plugin) as server:
        (worker,) = server.workers()
        assert worker.num_threads() > 1
        path = str(tmp_path / "written")
        assert "Permission denied" in server.http.get("/tried", params={"path": path}).json()
        for task in os.listdir(f"/proc/{worker.pid}/task"):
            status = Path(f"/proc/{worker.pid}/task/{task}/status").read_text()
            assert "NoNewPrivs:\t1" in status
            assert "Seccomp:\t2" in status


_STARTS_PROGRAMS = """
import subprocess, sys
from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Route, json_response

@hookimpl
def tfaas_register_routes(host):
    async def handler(request):
        code = [sys.executable, "-c", "print(6)"]
        return json_response(subprocess.run(code, capture_output=True, text=True).stdout)
    return [Route("/tried", ("GET",), handler)]
"""


def test_a_plugin_that_starts_a_program_needs_a_key_and_the_log_says_which(tmp_path: Path) -> None:
    with server_with(tmp_path, _STARTS_PROGRAMS) as server:
        assert server.http.get("/tried").status_code == 500
        until(lambda: "server.programs" in server.log.read_text())
        assert "PermissionError" in server.log.read_text()
    other = tmp_path / "other"
    other.mkdir()
    with server_with(other, _STARTS_PROGRAMS, "server.programs=true") as server:
        assert server.http.get("/tried").json() == "6\n"
        told = server.http.get("/status").json()["worker_sandbox"]["programs"]
        assert told == "missing: server.programs lets plugins start them"


_WRITES = """
from pathlib import Path
from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Route, json_response

FILE = Path({file!r})

@hookimpl
def tfaas_register_routes(host):
    async def handler(request):
        FILE.write_text("written")
        return json_response(FILE.read_text())
    return [Route("/tried", ("GET",), handler)]
"""
_SAYS_SO = """
@hookimpl
def tfaas_register_written():
    return [FILE]
"""


@pytest.mark.parametrize("how", ["the plugin says so", "the configuration says so", "nobody does"])
def test_a_plugin_writes_where_somebody_said_that_it_does(tmp_path: Path, how: str) -> None:
    file = tmp_path / "kept" / "file"
    file.parent.mkdir()
    plugin = _WRITES.format(file=str(file)) + (_SAYS_SO if how == "the plugin says so" else "")
    key = [f'server.writable=["{file.parent}"]'] if how == "the configuration says so" else []
    with server_with(tmp_path, plugin, *key) as server:
        answer = server.http.get("/tried")
        if how == "nobody does":
            assert answer.status_code == 500
            until(lambda: "server.writable" in server.log.read_text())
        else:
            assert answer.json() == "written"


_STORAGE = """
from pathlib import Path
from tfaas_core.hookspecs import hookimpl
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

class Storage(FilesystemStorage):
    def written(self):
        return {written}

@hookimpl
def tfaas_register_storages():
    return {{"tape": lambda table, base: Storage(base / table["root"])}}
"""


def test_a_storage_that_says_nothing_goes_on_working(tmp_path: Path) -> None:
    plugin = _STORAGE.format(written=None)
    settings = ("storage.kind=tape", f"storage.root={tmp_path / 'models'}")
    with server_with(tmp_path, plugin, *settings) as server:
        assert server.upload("vk", b"sum").status_code == 200
        told = server.http.get("/status").json()["worker_sandbox"]["files"]
        assert told == "missing: the storage `tape` does not say where it writes"
        assert "HTTP workers are not confined by `files`" in server.log.read_text()


def test_a_sandbox_that_is_required_must_be_there(tmp_path: Path) -> None:
    key = 'server.sandbox="required"'
    with server_with(tmp_path, _PLUGIN, key) as server:
        assert server.upload("vk", b"sum").status_code == 200
    other = tmp_path / "other"
    other.mkdir()
    starting = server_with(other, _PLUGIN, key, "server.programs=true")
    with pytest.raises(AssertionError, match="did not start") as refused, starting:
        raise RuntimeError
    assert "for want of `programs`: server.programs lets plugins start them" in str(refused.value)


def test_a_log_file_is_made_anew_when_it_was_moved_away(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    file = folder / "access.log"
    settings = ("plugins.access_log.enabled=true", f"plugins.access_log.file={file}")
    with server_with(tmp_path, _PLUGIN, *settings) as server:
        server.http.get("/models")
        until(lambda: "GET /models" in file.read_text())
        file.rename(folder / "access.log.1")
        server.http.get("/status")
        until(lambda: file.exists() and "GET /status" in file.read_text())


def environment_of_worker(server: RunningServer) -> bytes:
    (worker,) = server.workers()
    return Path(f"/proc/{worker.pid}/environ").read_bytes()


def test_http_workers_forget_what_they_are_not_to_see(tmp_path: Path) -> None:
    env = {"DATABASE_PASSWORD": "geheim-1", "BOB": "geheim-2", "TFAAS_TOKEN": "geheim-3"}
    tokens = 'plugins.token_guard.tokens={ bob = { env = "BOB" } }'
    settings = ("server.workers=1", tokens, "server.environment=[]")
    with fake_server(tmp_path, *settings, env=env) as server:
        assert not environment_of_worker(server).strip(b"\0")
        assert server.http.get("/models").status_code == 401
        bob = {"Authorization": "Bearer geheim-2"}
        assert server.http.get("/models", headers=bob).status_code == 200
        server.parent.send_signal(signal.SIGHUP)
        until(lambda: "was read again" in server.log.read_text())
        assert server.http.get("/models", headers=bob).status_code == 200


def test_by_default_they_forget_what_is_the_client_commands(tmp_path: Path) -> None:
    env = {"FOR_A_PLUGIN": "needed", "TFAAS_TOKEN": "geheim"}
    with fake_server(tmp_path, "server.workers=1", env=env) as server:
        assert server.http.get("/models").status_code == 200
        assert b"geheim" not in environment_of_worker(server)
