"""A confined process is stopped in all that it tries, and each layer does its part by itself."""

from __future__ import annotations

import importlib
import json
import mmap
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.core.sandbox.attacks import ATTACKS, Targets, outcome
from tests.other_account import needs_root
from tfaas_core.sandbox.confine import OWN_SOCKET, Cell, Prison, confine
from tfaas_core.sandbox.kernel_files import own_threads
from tfaas_core.sandbox.libraries import Libraries
from tfaas_core.sandbox.parts import Parts

_NOBODY = 65_534
_MEMORY = 64 << 20
_FIRST_USER = 1_879_048_192

_PRESENT = Parts.of_this_machine(_FIRST_USER).present
needs_all = pytest.mark.skipif(
    not {"files", "calls"} <= set(_PRESENT) and os.environ.get("CI") != "true",
    reason="this kernel, or container, lacks a part",
)

_USERS = [
    pytest.param("own", marks=needs_root, id="root, a user of its own"),
    pytest.param("root", marks=needs_root, id="root, who stays root"),
    pytest.param("nobody", marks=needs_root, id="nobody"),
    pytest.param("present", id="whoever runs the tests"),
]
"""Who the server is, and what becomes of its processes."""
_LAYERS = [("files", "calls"), ("files",), ("calls",), ()]


@contextmanager
def targets() -> Iterator[Targets]:
    """What there is to be attacked, by whoever can enter the folder."""
    with ExitStack() as stack:
        made = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfaas-test-")))
        made.chmod(0o755)
        folder, everybody, own = (made / name for name in ("folder", "everybody", "own"))
        for path, mode in ((folder, 0o755), (everybody, 0o777), (own, 0o755)):
            path.mkdir()
            path.chmod(mode)
        (folder / "canary").write_bytes(b"secret")
        (folder / "canary").chmod(0o600)
        (folder / "other").write_bytes(b"a model")
        (own / "model").write_bytes(b"my model")
        (own / "link").symlink_to(folder / "other")
        (everybody / "open").write_bytes(b"1")
        (everybody / "open").chmod(0o666)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        named = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        named.bind(str(everybody / "named"))
        (everybody / "named").chmod(0o777)
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0{made.name}")
        abstract.listen()
        port = tcp.getsockname()[1]
        paths = str(folder), str(everybody), str(own)
        niceness = os.getpriority(os.PRIO_PROCESS, 0)
        yield Targets(*paths, os.getpid(), niceness, port, f"\0{made.name}", _MEMORY)


def confined(
    cell: Cell | None,
    artifact: str,
    work: Callable[[], Any],
    user: int | None = None,
    are_open: bool = True,
) -> Any:
    """What ``work`` returns in a process that is confined.

    ``user``: whose the server would be. ``are_open``: whether it holds that all can read libraries.
    """
    ours, theirs = socket.socketpair()
    # So that no user needs more of them than is imported by now; sockets need the codec.
    "x".encode("idna")
    libraries = msgspec.structs.replace(Libraries.imported(), are_open=are_open)
    lifeline, _writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if user is not None:
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
            if cell is None:
                os.dup2(theirs.fileno(), OWN_SOCKET)
            else:
                confine(Prison.of(cell, libraries), artifact, theirs.detach(), lifeline)
            os.write(OWN_SOCKET, json.dumps(work()).encode() + b"\n")
        except BaseException as error:
            os.write(OWN_SOCKET, json.dumps(f"broke: {error!r}").encode() + b"\n")
        finally:
            os._exit(0)
    theirs.close()
    for descriptor in (lifeline, _writing):
        os.close(descriptor)
    with ours, ours.makefile() as answer:
        line = answer.readline()
    os.waitpid(pid, 0)
    return json.loads(line)


def outcomes(user: str, layers: tuple[str, ...], **fields: Any) -> Mapping[str, str]:
    """What becomes of each attack, in one process."""
    first = _FIRST_USER if user == "own" else None
    made = Cell(first, _MEMORY, files="files" in layers, calls="calls" in layers)
    cell = msgspec.structs.replace(made, **fields)
    with targets() as found:

        def attack() -> dict[str, str]:
            return {name: outcome(name, found) for name in ATTACKS}

        owner = _NOBODY if user == "nobody" else None
        told = confined(cell, found.own, attack, owner)
        assert isinstance(told, dict), told
        return told


@needs_all
@pytest.mark.parametrize("layers", _LAYERS, ids=["all", "files", "calls", "neither"])
@pytest.mark.parametrize("user", _USERS)
def test_each_layer_stops_what_it_is_there_for(user: str, layers: tuple[str, ...]) -> None:
    acting = {"limits", "privileges", "descriptors", *layers}
    if user == "own" or (user == "nobody"):
        # The victim is root.
        acting.add("user")
    found = outcomes(user, layers)
    passed = {name for name, told in found.items() if told == "succeeded"}
    expected = {name for name, attack in ATTACKS.items() if not attack.layers & acting}
    assert passed <= expected, {name: found[name] for name in passed - expected}
    if set(layers) == {"files", "calls"}:
        assert passed <= {"slow_the_server_down"}


def test_all_succeeds_that_is_tried_here_where_nothing_confines() -> None:
    """Or else these tests would show nothing."""
    with targets() as found:
        # What would end the process, or is nobody's but root's, or undone by nobody.
        left_out = {"fill_memory", "open_many_files", "become_somebody_else", "mount_a_folder"}
        left_out |= {"slow_the_server_down", "trace_the_server", "make_a_namespace"}
        left_out |= {name for name in ATTACKS if "lifeline" in name}
        names = sorted(ATTACKS.keys() - left_out)
        told = confined(None, "", lambda: {name: outcome(name, found) for name in names})
    kernel_lacks = {name for name in told if name.startswith("call_") and "Function" in told[name]}
    stopped = {name for name, how in told.items() if how != "succeeded"} - kernel_lacks
    assert stopped <= {"dump_its_memory"}, {name: told[name] for name in stopped}


@needs_all
@pytest.mark.parametrize("first_user", [None, pytest.param(_FIRST_USER, marks=needs_root)])
def test_a_confined_process_does_what_a_model_needs(first_user: int | None) -> None:
    with targets() as found:

        def work() -> list[object]:
            answers: list[object] = []
            thread = threading.Thread(target=lambda: answers.append("a thread"))
            thread.start()
            thread.join()
            answers.append(Path(found.own, "model").read_text())
            answers.append(importlib.import_module("colorsys").__name__)
            answers.append("VmRSS" in Path("/proc/self/status").read_text())
            with open("/dev/urandom", "rb") as random:
                answers.append(len(random.read(4)))
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            return answers

        sys.modules.pop("colorsys", None)
        told = confined(Cell(first_user, _MEMORY), found.own, work, are_open=False)
    assert told == ["a thread", "my model", "colorsys", True, 4]


@needs_all
@pytest.mark.parametrize("first_user", [None, pytest.param(_FIRST_USER, marks=needs_root)])
def test_a_confined_process_holds_open_all_that_it_can_read_of_proc(first_user: int | None) -> None:
    """Or else it could not read that any more once the kernel has forgotten the names."""
    names = [f"/proc/{name}" for name in os.listdir("/proc") if not name.isdigit()]
    names += [f"/proc/{whose}/{name}" for whose in ("1", "self") for name in os.listdir("/proc/1")]
    names += [f"{above}/{name}" for above, _, found in os.walk("/proc/sys") for name in found]

    def work() -> list[list[str]]:
        own = f"/proc/{os.getpid()}"
        paths = [*names, f"{own}/task/{os.getpid()}/maps"]
        read = [os.path.realpath(path) for path in paths if _can_open(path)]
        held = [link for n in range(1024) if (link := _leads_to(n)).startswith("/proc/")]
        return [[path.replace(own, "/proc/self") for path in found] for found in (read, held)]

    read, held = confined(Cell(first_user, _MEMORY), "/usr/lib", work)
    assert {"/proc/self/cmdline", "/proc/self/maps", "/proc/cpuinfo"} <= set(read)
    # Of its threads, it can list what it holds, and no more. One link leads to its program.
    assert set(read) - {os.path.realpath(sys.executable)} == set(held) - {"/proc/self/task"}


def _can_open(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _leads_to(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


@needs_all
@pytest.mark.parametrize("layers", [("files", "calls"), ()])
def test_a_process_can_tell_its_own_threads(layers: tuple[str, ...]) -> None:
    cell = Cell(None, _MEMORY, files="files" in layers, calls="calls" in layers)
    assert confined(cell, "/usr/lib", lambda: own_threads() == [os.getpid()]) is True


@needs_all
@needs_root
def test_libraries_and_models_that_are_closed_to_others_are_read_and_nothing_else() -> None:
    with targets() as found:
        os.chmod(found.own, 0o700)
        os.chmod(os.path.join(found.own, "model"), 0o600)

        def work() -> list[object]:
            model = Path(found.own, "model")
            names = ("read_what_the_owner_alone_may_read", "read_the_artifact_of_another_model")
            told = [outcome(name, found).partition(":")[0] for name in names]
            # TensorFlow asks first.
            return [model.read_text(), os.access(model, os.R_OK), os.getuid() > _FIRST_USER, *told]

        told = confined(Cell(_FIRST_USER, _MEMORY), found.own, work)
    assert told == ["my model", True, True, *["stopped by PermissionError"] * 2]


@needs_all
def test_pages_that_are_written_to_and_run_are_there_unless_they_are_forbidden() -> None:
    def work() -> str:
        try:
            mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_EXEC).close()
        except OSError:
            return "forbidden"
        return "there"

    assert confined(Cell(None, _MEMORY), "/usr/lib", work) == "there"
    assert confined(Cell(None, _MEMORY, executable_pages=False), "/usr/lib", work) == "forbidden"
