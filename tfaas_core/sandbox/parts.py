"""Parts: of which the sandbox is made, and which of them this machine lacks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tfaas_core.sandbox.landlock import landlock_version
from tfaas_core.sandbox.privileges import are_users, can_change_user, is_root
from tfaas_core.sandbox.seccomp import is_there


class Parts(msgspec.Struct, frozen=True):
    """``present``: what each part is made of. ``missing``: why each of the others is not there."""

    present: Mapping[str, str]
    missing: Mapping[str, str]

    @classmethod
    def of_this_machine(cls, first_user: int) -> Parts:
        """What a process that this one starts could be confined with; ``first_user``: see Cell."""
        kept = "at most to read all files" if is_root() else "none"
        present = {
            "privileges": f"no new ones, and of the capabilities {kept}",
            "limits": "of memory, descriptors, files and tasks",
        }
        missing = {}
        version = landlock_version()
        if version:
            present["files"] = f"Landlock {version}"
        else:
            missing["files"] = "Landlock is not in this kernel, or is switched off or forbidden"
        if is_there():
            present["calls"] = "seccomp"
        else:
            missing["calls"] = "seccomp is not in this kernel, or not known for this processor"
        if is_root() and not can_change_user():
            missing["user"] = "the server is root, but may not become another user"
        elif is_root() and not are_users(first_user, _most_processes()):
            missing["user"] = f"this container has too few users from {first_user} on"
        elif is_root():
            present["user"] = "one for each process"
        return cls(present, missing)


def _most_processes() -> int:
    """The number of a process is less."""
    return int(Path("/proc/sys/kernel/pid_max").read_text())
