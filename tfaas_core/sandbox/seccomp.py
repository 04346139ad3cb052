"""Seccomp: which system calls a model's process may make. All others fail."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Iterable, Mapping
from struct import Struct as Layout

from tfaas_core.sandbox.bpf import Is, IsNot, IsNull, Ways, program
from tfaas_core.sandbox.kernel import call_number, machine, system_call

_SET_FILTER, _ALL_THREADS = 1, 1
_HAS_ACTION = 2
_FAILS = b"\0\0\5\0"
_PROGRAM = Layout("@HP")

_FREE = """
access brk capget clock_getres clock_gettime clock_nanosleep epoll_create epoll_create1 epoll_ctl
epoll_pwait epoll_pwait2 epoll_wait eventfd2 exit exit_group faccessat faccessat2 fadvise64 fstat
fstatfs futex futex_waitv get_mempolicy get_robust_list getcpu getcwd getdents64 getegid geteuid
getgid getgroups getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid
getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid lseek lstat
madvise membarrier mincore mremap munmap nanosleep newfstatat pipe pipe2 poll ppoll pread64 preadv
preadv2 pselect6 pwrite64 read readahead readlink readlinkat readv recvfrom recvmsg restart_syscall
rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
sched_getscheduler sched_yield select set_robust_list set_tid_address shutdown sigaltstack stat
statfs statx sysinfo time times uname write writev
"""
"""What reads, waits, or changes the process alone."""

_OF_FORK_SERVER = """
capset close_range fork landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp
setgroups setpgid setresgid setresuid setrlimit wait4 waitid
"""
"""What starts processes, hears of their end, and confines them."""

THREAD = 0x0001_0000
NAMESPACES = 0x7E02_0000
_FCNTL = (0, 1, 2, 3, 4, 1030)
"""To copy a descriptor, or read and set its flags; not whom it signals."""

_IOCTL = (0x5401, 0x5413, 0x5421, 0x541B, 0x5450, 0x5451)
"""To ask a terminal for its mode and size, and how much is there to be read; not to write to it."""

_PRCTL = (3, 15, 16, 21, 23, 29, 30, 0x53564D41)
"""To name threads and memory, read what is so, and set the slack of timers."""

_ARCH_PRCTL = (0x1001, 0x1002, 0x1003, 0x1004)

_WRITING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | os.O_TMPFILE & ~os.O_DIRECTORY

_NUMBER = Layout("=I")
ITSELF = 0x7EAA_5EED
"""In a filter that was made before the process that it is for: what its number is put in place of.
No process has this one."""

_NO_DESCRIPTOR = 0xFFFF_FFFF

_EXECUTABLE, _WRITABLE = 4, 2
_PRIVATE, _ANONYMOUS, _KINDS = 2, 0x20, 0x0F


def is_there() -> bool:
    """Whether the kernel filters calls, and this kind of processor is known."""
    try:
        system_call("seccomp", _HAS_ACTION, 0, _FAILS)
    except OSError:
        return False
    return True


def model_filter(lifeline: int, executable_pages: bool) -> bytes:
    """The filter of models' processes, for ``restrict_calls``.

    ``lifeline`` is a descriptor that they cannot close or change. ``executable_pages``: whether
    they may make code and run it.
    """
    return _filter(_rules(lifeline, executable_pages), _FREE.split())


def fork_server_filter() -> bytes:
    """The filter of a process that forks others, of which each is restricted by itself then."""
    kept = {"ioctl", "sendto", "socketpair"}
    rules = _rules(_NO_DESCRIPTOR, executable_pages=True)
    others = [name for name in rules if name not in kept]
    free = [*_FREE.split(), *_OF_FORK_SERVER.split(), *others]
    return _filter({name: rules[name] for name in kept}, free)


def restrict_calls(made: bytes) -> None:
    """Filters the calls of this process, all threads, for good. No new privileges must be possible.

    Raises OSError.
    """
    own = made.replace(_NUMBER.pack(ITSELF), _NUMBER.pack(os.getpid()))
    code = ctypes.create_string_buffer(own, len(own))
    packed = _PROGRAM.pack(len(own) // 8, ctypes.addressof(code))
    system_call("seccomp", _SET_FILTER, _ALL_THREADS, packed)


def _filter(rules: Mapping[str, Ways], names: Iterable[str]) -> bytes:
    here = machine()
    if here is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    free = [number for name in names if (number := call_number(name)) is not None]
    return program(here.audit, numbered(rules), free)


def _rules(lifeline: int, executable_pages: bool) -> Mapping[str, Ways]:
    """In what ways which calls may be made; the hot ones first."""
    other = IsNot(0, lifeline)
    return {
        # Without an address: to whom the socket is connected.
        "sendto": [[IsNull(4)]],
        **_memory_rules(executable_pages),
        "openat": [[Is(2, (0,), _WRITING)]],
        "open": [[Is(1, (0,), _WRITING)]],
        "close": [[other]],
        "clone": [[Is(0, (THREAD,), THREAD | NAMESPACES)]],
        "dup": [[other]],
        "dup2": [[other, IsNot(1, lifeline)]],
        "dup3": [[other, IsNot(1, lifeline)]],
        "fcntl": [[other, Is(1, _FCNTL)]],
        "ioctl": [[other, Is(1, _IOCTL)]],
        "prctl": [[Is(0, _PRCTL)]],
        "arch_prctl": [[Is(0, _ARCH_PRCTL)]],
        "kill": [[Is(0, (ITSELF,))]],
        "tgkill": [[Is(0, (ITSELF,))]],
        "prlimit64": [[Is(0, (0, ITSELF)), IsNull(2)]],
        "sched_setaffinity": [[Is(0, (0,))]],
        # To give way. Which thread that is, its kernel number does not tell.
        "sched_setscheduler": [[Is(1, (os.SCHED_OTHER, os.SCHED_BATCH, os.SCHED_IDLE))]],
        "setpriority": [[Is(0, (os.PRIO_PROCESS,))]],
        # A pair of datagrams could be sent to sockets that have names.
        "socketpair": [[Is(0, (socket.AF_UNIX,)), Is(1, (socket.SOCK_STREAM,), 0xF)]],
    }


def _memory_rules(executable_pages: bool) -> Mapping[str, Ways]:
    """No memory that no limit counts, and perhaps none that is written to and run."""
    # Shared memory without a file is counted by nobody.
    own = Is(3, (_PRIVATE | _ANONYMOUS,), _KINDS | _ANONYMOUS)
    of_file = Is(3, (0,), _ANONYMOUS)
    if executable_pages:
        return {"mmap": [[own], [of_file]], "mprotect": [[]]}
    runs_not = Is(2, (0,), _EXECUTABLE)
    is_fixed = Is(2, (_EXECUTABLE,), _EXECUTABLE | _WRITABLE)
    return {
        "mmap": [[runs_not, own], [runs_not, of_file], [is_fixed, of_file]],
        "mprotect": [[runs_not]],
    }


def numbered(rules: Mapping[str, Ways]) -> dict[int, Ways]:
    """The rules by the numbers of their calls, as far as this machine has them."""
    found = {call_number(name): ways for name, ways in rules.items()}
    return {number: ways for number, ways in found.items() if number is not None}
