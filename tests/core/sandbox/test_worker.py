"""An HTTP worker is stopped in all that it tries, and does what storages and plugins need."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.core.sandbox.attack import Targets
from tests.core.sandbox.test_confine import needs_all, targets
from tests.core.sandbox.worker_attacks import WORKER_ATTACKS, worker_outcome
from tests.other_account import needs_root
from tfaas_core.sandbox.worker import WorkerCell, confine_worker, worker_cell

_NOBODY = 65_534
_USERS = [
    pytest.param(0, marks=needs_root, id="root"),
    pytest.param(_NOBODY, marks=needs_root, id="nobody"),
    pytest.param(None, id="whoever runs the tests"),
]
_LAYERS = [("files", "calls"), ("files",), ("calls",), ()]

pytestmark = needs_all


def confined(cell: WorkerCell | None, work: Callable[[], Any], user: int | None = None) -> Any:
    """What ``work`` returns in a process that is confined as an HTTP worker is."""
    ours, theirs = socket.socketpair()
    "x".encode("idna")
    pid = os.fork()
    if pid == 0:
        try:
            if user:
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
            if cell is not None:
                confine_worker(cell)
            told = work()
        except BaseException as error:
            told = f"broke: {error!r}"
        theirs.sendall(json.dumps(told).encode() + b"\n")
        os._exit(0)
    theirs.close()
    with ours, ours.makefile() as answer:
        line = answer.readline()
    os.waitpid(pid, 0)
    return json.loads(line)


def outcomes(found: Targets, cell: WorkerCell | None, user: int | None) -> Mapping[str, str]:
    told = confined(cell, lambda: {n: worker_outcome(n, found) for n in WORKER_ATTACKS}, user)
    assert isinstance(told, dict), told
    return told


@pytest.mark.parametrize("layers", _LAYERS, ids=["all", "files", "calls", "neither"])
@pytest.mark.parametrize("user", _USERS)
def test_each_layer_stops_what_it_is_there_for(user: int | None, layers: tuple[str, ...]) -> None:
    with targets() as found:
        os.chmod(found.own, 0o777)
        cell = WorkerCell((found.own,), False, "files" in layers, "calls" in layers)
        told = outcomes(found, cell, user)
    passed = {name for name, how in told.items() if how == "succeeded"}
    acting = {"privileges", *layers}
    expected = {name for name, attack in WORKER_ATTACKS.items() if not attack.layers & acting}
    assert passed <= expected, {name: told[name] for name in passed - expected}
    if set(layers) == {"files", "calls"}:
        assert not passed


def test_what_is_tried_here_succeeds_where_nothing_confines() -> None:
    """Or else these tests would show nothing."""
    undone = {"become_somebody_else", "mount_a_folder", "trace_the_server", "make_a_namespace"}
    # Kernels, containers and accounts lack one or the other.
    undone |= {name for name in WORKER_ATTACKS if name.startswith("call_")}
    undone |= {"make_a_call_that_is_newer_than_the_filter", "put_a_module_beside_the_libraries"}
    undone |= {"be_ended_after_the_server_if_memory_runs_out", "type_into_the_terminal"}
    with targets() as found:
        names = sorted(WORKER_ATTACKS.keys() - undone)
        told = confined(None, lambda: {name: worker_outcome(name, found) for name in names})
    assert {name: how for name, how in told.items() if how != "succeeded"} == {}


def test_a_storage_and_plugins_do_what_they_need(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()

    def work() -> list[object]:
        staged, stored = folder / "staged", folder / "stored"
        staged.mkdir()
        stored.mkdir()
        (staged / "model").write_bytes(b"1")
        os.rename(staged / "model", stored / "model")
        os.chmod(stored / "model", 0o640)
        os.link(stored / "model", folder / "linked")
        (stored / "model").unlink()
        answers: list[object] = [(folder / "linked").read_bytes().decode()]
        thread = threading.Thread(target=lambda: answers.append("a thread"))
        thread.start()
        thread.join()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            socket.create_connection(listening.getsockname()).close()
            answers.append("TCP")
        os.kill(os.getpid(), 0)
        answers.append(os.path.exists("/etc/passwd") and Path("/etc/passwd").read_text() != "")
        Path("/dev/null").write_bytes(b"1")
        return answers

    assert confined(worker_cell([folder], programs=False), work) == ["1", "a thread", "TCP", True]


def test_programs_can_be_started_if_they_may_and_no_more_can_be_done_by_them() -> None:
    with targets() as found:
        told = outcomes(found, WorkerCell((found.own,), programs=True), None)
    passed = {name for name, how in told.items() if how == "succeeded"}
    assert {"run_a_program", "fork"} <= passed
    assert passed <= {"run_a_program", "fork", "call_pidfd_open"}


def test_who_does_not_say_what_it_writes_writes_everywhere_and_does_nothing_else() -> None:
    with targets() as found:
        told = outcomes(found, worker_cell(None, programs=False), None)
        assert {"run_a_program", "trace_the_server", "read_the_environment_of_the_server"} <= {
            name for name, how in told.items() if how != "succeeded"
        }
        assert told["write_a_file"] == "succeeded"
