"""What hostile code tries in an HTTP worker: what a flaw of a codec, or of a library, lets in."""

from __future__ import annotations

import fcntl
import os
import resource
import struct
from collections.abc import Callable
from pathlib import Path

from tests.core.sandbox.attack import ATTACKS, Attack, Attempt, Targets
from tests.core.sandbox.attacks import outcome as outcome_of_model
from tests.core.sandbox.libc import libc_call
from tfaas_core.sandbox.calls import CALLS
from tfaas_core.sandbox.kernel import call_number

WORKER_ATTACKS: dict[str, Attack] = {}
"""With the layers that stop them, each by itself."""


def _stopped_by(*layers: str) -> Callable[[Attempt], Attempt]:
    def enter(attempt: Attempt) -> Attempt:
        WORKER_ATTACKS[attempt.__name__] = Attack(attempt, frozenset(layers))
        return attempt

    return enter


def worker_outcome(name: str, targets: Targets) -> str:
    """What stopped an attack; "succeeded" if nothing did."""
    if name not in WORKER_ATTACKS:
        return outcome_of_model(name, targets)
    try:
        WORKER_ATTACKS[name].attempt(targets)
    except (OSError, ValueError) as error:
        return f"stopped by {type(error).__name__}: {error}"
    return "succeeded"


def _same_as_a_models(name: str, *layers: str) -> None:
    WORKER_ATTACKS[name] = Attack(ATTACKS[name].attempt, frozenset(layers))


for _name in (
    *("write_a_file", "make_a_folder", "overwrite_what_everybody_may_write"),
    *("remove_what_everybody_may_remove", "be_ended_after_the_server_if_memory_runs_out"),
    *("read_the_environment_of_the_server", "reach_an_abstract_socket"),
):
    _same_as_a_models(_name, "files")
for _name in ("run_a_program", "signal_the_server", "trace_the_server"):
    _same_as_a_models(_name, "files", "calls")
for _name in ("fork", "make_a_namespace", "have_somebody_else_signalled"):
    _same_as_a_models(_name, "calls")
_same_as_a_models("mount_a_folder", "calls", "privileges")
_same_as_a_models("become_somebody_else", "privileges")


@_stopped_by("files")
def move_a_file_out(targets: Targets) -> None:
    inside = Path(targets.own, "moved")
    inside.write_bytes(b"1")
    inside.rename(Path(targets.everybody, "moved"))


@_stopped_by("files")
def link_a_file_of_others_into_its_own_folder(targets: Targets) -> None:
    os.link(os.path.join(targets.everybody, "open"), os.path.join(targets.own, "linked"))


@_stopped_by("files")
def write_through_a_link(targets: Targets) -> None:
    link = Path(targets.own, "out")
    link.symlink_to(Path(targets.everybody, "open"))
    link.write_bytes(b"2")


@_stopped_by("files")
def put_a_module_beside_the_libraries(_targets: Targets) -> None:
    path = Path(os.path.dirname(os.__file__), "tfaas_attack.py")
    path.write_bytes(b"")
    path.unlink()


@_stopped_by("calls")
def have_others_execute_its_file_as_its_user(targets: Targets) -> None:
    program = Path(targets.own, "program")
    program.write_bytes(b"#!/bin/sh\n")
    program.chmod(0o4755)


@_stopped_by("calls")
def make_such_a_file(targets: Targets) -> None:
    os.close(os.open(os.path.join(targets.own, "made"), os.O_CREAT | os.O_WRONLY, 0o4755))


@_stopped_by("calls")
def limit_the_server(targets: Targets) -> None:
    resource.prlimit(targets.victim, resource.RLIMIT_CPU, (1 << 30, 1 << 30))


@_stopped_by("calls")
def type_into_the_terminal(_targets: Targets) -> None:
    opened, other = os.openpty()
    try:
        fcntl.ioctl(other, 0x5412, struct.pack("c", b"x"))
    finally:
        os.close(opened)
        os.close(other)


@_stopped_by("calls")
def start_a_process_in_a_way_that_no_filter_sees(_targets: Targets) -> None:
    _call("clone3", 0, 0)


@_stopped_by("calls")
def make_a_call_that_is_newer_than_the_filter(_targets: Targets) -> None:
    # Which call that is, nobody knows; but what the kernel lacks is no success.
    libc_call("syscall", 470, 0, 0, 0)


@_stopped_by("calls")
def run_as_another_kind_of_system(_targets: Targets) -> None:
    _call("personality", 0x0040000)


def _call(name: str, *arguments: int) -> None:
    number = call_number(name)
    if number is None:
        raise OSError(38, f"{name} is not there")
    try:
        libc_call("syscall", number, *arguments)
    except OSError as error:
        # Any other says that the kernel has looked at its arguments.
        if error.errno in (1, 38):
            raise


_FORBIDDEN = """
add_key bpf io_uring_setup kcmp keyctl memfd_secret move_pages open_by_handle_at open_tree
perf_event_open pidfd_getfd pidfd_open pidfd_send_signal process_vm_readv process_vm_writev
rt_sigqueueinfo setns shmget userfaultfd
"""


def _enter(name: str) -> None:
    def attempt(_targets: Targets) -> None:
        _call(name, -1, -1, -1, -1, -1)

    assert name in CALLS
    WORKER_ATTACKS[f"call_{name}"] = Attack(attempt, frozenset({"calls"}))


for _name in _FORBIDDEN.split():
    _enter(_name)
