"""What a hostile model's code tries with the kernel, and how much it takes of everything."""

from __future__ import annotations

import fcntl
import mmap
import os
import resource
from collections.abc import Mapping

from tests.core.sandbox.attack import ATTACKS, Attack, Targets, stopped_by
from tests.core.sandbox.libc import libc_call
from tfaas_core.sandbox.confine import LIFELINE


@stopped_by("calls", "privileges")
def become_somebody_else(_targets: Targets) -> None:
    os.setresuid(12345, 12345, 12345)


@stopped_by("calls", "privileges")
def mount_a_folder(targets: Targets) -> None:
    libc_call("mount", b"none", targets.everybody.encode(), b"tmpfs", 0, 0)


@stopped_by("calls")
def make_a_namespace(_targets: Targets) -> None:
    libc_call("unshare", 0x1000_0000)


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
            libc_call("syscall", number, -1, -1, -1, -1, -1)
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
    # Anew each: what was allocated before, and is free by now, no limit takes away.
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    filled = [mmap.mmap(-1, 1 << 20, private) for _ in range(2 * targets.memory_bytes >> 20)]
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
            if not _holds_what_it_may_read(descriptor):
                return
    raise last


def _holds_what_it_may_read(descriptor: int) -> bool:
    """Whether it is one of those by which it holds files of /proc open."""
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    if path == f"/proc/{os.getpid()}/task":
        return True
    is_path = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_PATH != 0
    return is_path and path.startswith("/proc/")
