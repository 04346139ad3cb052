"""What a hostile model's code tries. Each attack raises OSError or MemoryError if it is stopped."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import resource
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from tfaas_core.sandbox.confine import LIFELINE


class Targets(msgspec.Struct, frozen=True):
    """``folder`` belongs to the victim, whose number is ``victim``, and to nobody else.

    It holds ``canary``, which its owner alone may read, ``other``, the artifact of another model,
    and ``named``, a Unix socket that listens. ``everybody`` is a folder that all may write to.
    ``own`` is the attacker's own artifact, a folder. ``port`` is one that listens.
    """

    folder: str
    everybody: str
    own: str
    victim: int
    port: int
    abstract: str
    memory_bytes: int


class Attack(msgspec.Struct, frozen=True):
    """``layers`` are those that stop it, each by itself."""

    attempt: Callable[[Targets], object]
    layers: frozenset[str]


ATTACKS: dict[str, Attack] = {}

Attempt: TypeAlias = Callable[[Targets], object]


def stopped_by(*layers: str) -> Callable[[Attempt], Attempt]:
    def enter(attempt: Attempt) -> Attempt:
        ATTACKS[attempt.__name__] = Attack(attempt, frozenset(layers))
        return attempt

    return enter


def outcome(name: str, targets: Targets) -> str:
    """What stopped an attack; "succeeded" if nothing did."""
    try:
        ATTACKS[name].attempt(targets)
    except (OSError, MemoryError) as error:
        return f"stopped by {type(error).__name__}: {error}"
    return "succeeded"


# Files.


@stopped_by("files", "user")
def read_what_the_owner_alone_may_read(targets: Targets) -> None:
    Path(targets.folder, "canary").read_bytes()


@stopped_by("files")
def read_the_artifact_of_another_model(targets: Targets) -> None:
    Path(targets.folder, "other").read_bytes()


@stopped_by("files")
def read_through_a_link_in_its_own_artifact(targets: Targets) -> None:
    Path(targets.own, "link").read_bytes()


@stopped_by("files")
def list_the_folder_of_all_models(targets: Targets) -> None:
    os.listdir(targets.folder)


@stopped_by("files", "user")
def read_the_environment_of_the_server(targets: Targets) -> None:
    Path(f"/proc/{targets.victim}/environ").read_bytes()


@stopped_by("files", "calls", "limits")
def write_a_file(targets: Targets) -> None:
    Path(targets.everybody, "written").write_bytes(b"1")


@stopped_by("files", "calls")
def make_a_folder(targets: Targets) -> None:
    os.mkdir(os.path.join(targets.everybody, "made"))


@stopped_by("files", "calls")
def overwrite_what_everybody_may_write(targets: Targets) -> None:
    os.close(os.open(os.path.join(targets.everybody, "open"), os.O_WRONLY | os.O_TRUNC))


@stopped_by("files", "calls")
def remove_what_everybody_may_remove(targets: Targets) -> None:
    os.unlink(os.path.join(targets.everybody, "open"))


@stopped_by("calls", "user")
def change_the_mode_of_its_own_artifact(targets: Targets) -> None:
    os.chmod(os.path.join(targets.own, "model"), 0o666)


@stopped_by("files", "calls")
def be_ended_after_the_server_if_memory_runs_out(_targets: Targets) -> None:
    Path("/proc/self/oom_score_adj").write_text("0")


# Other processes, and machines.


@stopped_by("files", "calls")
def connect_by_tcp(targets: Targets) -> None:
    socket.create_connection(("127.0.0.1", targets.port), timeout=5).close()


@stopped_by("calls")
def send_by_udp(targets: Targets) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"1", ("127.0.0.1", targets.port))


@stopped_by("files", "calls")
def listen_for_tcp(_targets: Targets) -> None:
    socket.create_server(("127.0.0.1", 0)).close()


@stopped_by("files", "calls")
def reach_an_abstract_socket(targets: Targets) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(targets.abstract)


@stopped_by("calls")
def reach_a_named_socket_through_a_pair(targets: Targets) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        one.sendto(b"1", os.path.join(targets.everybody, "named"))


@stopped_by("calls")
def pass_a_descriptor_on(_targets: Targets) -> None:
    one, other = socket.socketpair()
    with one, other:
        socket.send_fds(one, [b"1"], [0])


@stopped_by("files", "calls")
def signal_the_server(targets: Targets) -> None:
    os.kill(targets.victim, 0)


@stopped_by("user")
def slow_the_server_down(targets: Targets) -> None:
    os.setpriority(os.PRIO_PROCESS, targets.victim, 1)


@stopped_by("files", "calls", "user")
def trace_the_server(targets: Targets) -> None:
    _libc_call("ptrace", 16, targets.victim, 0, 0)


@stopped_by("files", "calls")
def run_a_program(_targets: Targets) -> None:
    subprocess.run(["/bin/true"], check=True)


@stopped_by("calls")
def fork(_targets: Targets) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


# Privileges, and the kernel.


@stopped_by("calls", "privileges")
def become_somebody_else(_targets: Targets) -> None:
    os.setresuid(12345, 12345, 12345)


@stopped_by("calls", "privileges")
def mount_a_folder(targets: Targets) -> None:
    _libc_call("mount", b"none", targets.everybody.encode(), b"tmpfs", 0, 0)


@stopped_by("calls")
def make_a_namespace(_targets: Targets) -> None:
    _libc_call("unshare", 0x1000_0000)


# On x86-64, and on aarch64.
_KERNEL_CALLS: Mapping[str, tuple[int, int]] = {
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_open": (434, 434),
    "process_vm_readv": (310, 270),
    "quotactl": (179, 60),
    "shmget": (29, 194),
    "userfaultfd": (323, 282),
}


def _enter_kernel_call(name: str, numbers: tuple[int, int]) -> None:
    def attempt(_targets: Targets) -> None:
        number = numbers[os.uname().machine == "aarch64"]
        try:
            _libc_call("syscall", number, -1, -1, -1, -1, -1)
        except OSError as error:
            # Any other says that the kernel has looked at its arguments.
            if error.errno == 38:
                raise

    ATTACKS[f"call_{name}"] = Attack(attempt, frozenset({"calls"}))


for _name, _numbers in _KERNEL_CALLS.items():
    _enter_kernel_call(_name, _numbers)


# What there is of everything.


@stopped_by("limits")
def fill_memory(targets: Targets) -> None:
    filled = [bytearray(1 << 20) for _ in range(2 * targets.memory_bytes >> 20)]
    del filled


@stopped_by("calls")
def fill_memory_that_no_limit_counts(_targets: Targets) -> None:
    mmap.mmap(-1, 1 << 20).close()


@stopped_by("limits")
def open_many_files(_targets: Targets) -> None:
    opened: list[int] = []
    try:
        opened.extend(os.open("/dev/null", os.O_RDONLY) for _ in range(10_000))
    finally:
        for descriptor in opened:
            os.close(descriptor)


@stopped_by("limits", "calls")
def dump_its_memory(_targets: Targets) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
    except ValueError as error:
        raise PermissionError(str(error)) from None


@stopped_by("descriptors")
def use_a_descriptor_of_the_server(_targets: Targets) -> None:
    for descriptor in range(LIFELINE + 1, 1024):
        try:
            os.fstat(descriptor)
        except OSError as error:
            last = error
        else:
            return
    raise last


# The lifeline, which ends it with the server.


@stopped_by("calls")
def close_the_lifeline(_targets: Targets) -> None:
    os.close(LIFELINE)


@stopped_by("calls")
def put_something_in_place_of_the_lifeline(_targets: Targets) -> None:
    os.dup2(0, LIFELINE)


@stopped_by("calls")
def loosen_the_lifeline(_targets: Targets) -> None:
    fcntl.fcntl(LIFELINE, fcntl.F_SETFL, 0)


@stopped_by("calls")
def loosen_a_copy_of_the_lifeline(_targets: Targets) -> None:
    fcntl.fcntl(os.dup(LIFELINE), fcntl.F_SETFL, 0)


@stopped_by("calls")
def have_somebody_else_signalled(targets: Targets) -> None:
    fcntl.fcntl(0, fcntl.F_SETOWN, targets.victim)


def _libc_call(name: str, *arguments: int | bytes) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    passed = [a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
    if function(*passed) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
