"""Executes a program that may make the system calls alone that a unit of systemd allows.

``python -m tests.deploy.under_filter UNIT PROGRAM [ARGUMENTS]``: for tests, where no systemd runs.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

_ALLOW = 0x7FFF_0000
_FAIL_WITH_EPERM = 0x0005_0001
_NO_NEW_PRIVILEGES = 38


def allowed_calls(unit: Path) -> set[str]:
    """The names in its ``SystemCallFilter=``, those of groups one by one."""
    asked = re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.M)
    words = " ".join(asked).split()
    assert not any(word.startswith("~") for word in words), "lists of what is refused are not known"
    groups = _groups()
    calls: set[str] = set()
    while words:
        if (word := words.pop()).startswith("@"):
            words += groups[word]
        else:
            calls.add(word)
    return calls


def _groups() -> dict[str, list[str]]:
    """What is in each group of calls, other groups among that, as this systemd has them."""
    command = ["systemd-analyze", "--no-pager", "syscall-filter"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, list[str]] = {}
    for line in told.splitlines():
        if line.startswith("@"):
            members = found[line.strip()] = []
        elif found and (member := line.strip()) and not member.startswith("#"):
            members.append(member)
    return found


def allow_only(calls: set[str]) -> None:
    """All other calls of this process fail from now on, as far as this machine has them."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    made = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_FAIL_WITH_EPERM)))
    for call in calls:
        number = library.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:
            allow = ctypes.c_uint32(_ALLOW)
            assert library.seccomp_rule_add(made, allow, number, ctypes.c_uint(0)) == 0, call
    assert ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    assert library.seccomp_load(made) == 0


if __name__ == "__main__":
    allow_only(allowed_calls(Path(sys.argv[1])))
    os.execv(sys.argv[2], sys.argv[2:])
