"""Calls that the kernel refuses are errors, whatever their functions return."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

import pytest

from tfaas_core.sandbox.bpf import Is, program
from tfaas_core.sandbox.calls import CALLS
from tfaas_core.sandbox.kernel import capset, prctl, system_call


@pytest.mark.parametrize(
    "call",
    [
        lambda: prctl(-1, 0),
        lambda: capset(bytes(8), bytes(24)),
        lambda: system_call("landlock_restrict_self", -1, 0),
    ],
    ids=["prctl", "capset", "syscall"],
)
def test_what_is_refused_is_an_error(call: Callable[[], object]) -> None:
    with pytest.raises(OSError, match=r"^\[Errno \d+\] \w+"):
        call()


@pytest.mark.parametrize("column", [0, 1])
def test_no_two_calls_have_the_same_number(column: int) -> None:
    numbers = [number for row in CALLS.values() if (number := row[column]) is not None]
    assert len(set(numbers)) == len(numbers)


def test_a_program_is_as_long_as_its_rules_and_no_jump_leaves_it() -> None:
    code = program(1, {5: [[Is(0, (1, 2)), Is(1, (3,))], []]}, [6, 7])
    lines = [code[start : start + 8] for start in range(0, len(code), 8)]
    assert len(code) % 8 == 0
    for place, line in enumerate(lines):
        if line[0] & 0x7 == 0x5:
            assert place + 1 + max(line[2], line[3]) < len(lines)


_LIBSECCOMP = "libseccomp.so.2"
_AUDIT = (0xC000003E, 0xC00000B7)
_NEWER = {"open_tree_attr", "fchmodat2", "process_mrelease"}
"""Than the tables of some versions of libseccomp."""


@pytest.mark.parametrize("column", [0, 1], ids=["x86-64", "aarch64"])
def test_the_tables_say_what_libseccomp_knows_of_both_kinds_of_processor(column: int) -> None:
    """So that the numbers of the one that no test runs on are right, too."""
    try:
        library = ctypes.CDLL(_LIBSECCOMP)
    except OSError:
        assert os.environ.get("CI") != "true", f"no {_LIBSECCOMP}, which CI must have"
        pytest.skip(f"no {_LIBSECCOMP}: apt-get install libseccomp2")
    library.seccomp_syscall_resolve_name_arch.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    for name, numbers in CALLS.items():
        known = library.seccomp_syscall_resolve_name_arch(_AUDIT[column], name.encode())
        if known == -1 and name in _NEWER:
            continue
        # Less than 0: this processor has no such call.
        assert numbers[column] == (known if known >= 0 else None), name


def test_what_only_one_kind_of_processor_has_the_other_does_by_calls_of_the_table() -> None:
    """aarch64 lacks what is older than itself; for each of those, there is what took its place."""
    replaced = {
        **{"access": "faccessat", "chmod": "fchmodat", "creat": "openat", "dup2": "dup3"},
        **{"epoll_create": "epoll_create1", "epoll_wait": "epoll_pwait", "fork": "clone"},
        **{"getpgrp": "getpgid", "lstat": "newfstatat", "mknod": "mknodat", "open": "openat"},
        **{"pipe": "pipe2", "poll": "ppoll", "readlink": "readlinkat", "select": "pselect6"},
        **{"stat": "newfstatat", "time": "gettimeofday", "vfork": "clone"},
    }
    lacking = {name for name, (_x86, aarch64) in CALLS.items() if aarch64 is None}
    of_x86 = {"arch_prctl", "ioperm", "iopl", "modify_ldt", "sysfs", "uselib", "ustat"}
    assert lacking == replaced.keys() | of_x86
    assert all(None not in CALLS[name] for name in replaced.values())
    assert all(x86 is not None for x86, _aarch64 in CALLS.values())
