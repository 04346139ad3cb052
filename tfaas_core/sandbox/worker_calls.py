"""The system calls that HTTP workers may not make: plugins run there, so all others are theirs."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping

from tfaas_core.sandbox.bpf import Is, IsNot, Ways, denying_program
from tfaas_core.sandbox.kernel import call_number, machine
from tfaas_core.sandbox.seccomp import ITSELF, NAMESPACES, THREAD, numbered

_NEVER = """
acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init
fanotify_mark finit_module fsconfig fsmount fsopen fspick init_module io_uring_enter
io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie
memfd_secret migrate_pages modify_ldt mount mount_setattr move_mount move_pages mq_open msgctl
msgget msgrcv msgsnd name_to_handle_at open_by_handle_at open_tree open_tree_attr perf_event_open
pidfd_getfd pidfd_send_signal pivot_root process_madvise process_mrelease process_vm_readv
process_vm_writev ptrace quotactl quotactl_fd reboot request_key rt_sigqueueinfo rt_tgsigqueueinfo
semctl semget semop semtimedop setdomainname sethostname setns settimeofday shmat shmctl shmget
swapoff swapon sysfs syslog tkill umount2 unshare uselib userfaultfd ustat vhangup
"""
"""What reaches other processes, their memory, the machine, or rarely used parts of the kernel."""

_OF_PROGRAMS = "execve execveat fork pidfd_open vfork"

_ABSENT = "clone3 openat2"
"""What a filter cannot look into; C libraries do without."""

_FIRST_UNKNOWN = 470
"""Linux 6.18 has calls up to here. Nobody has looked at what later ones do."""

_CREATES = os.O_CREAT | os.O_TMPFILE & ~os.O_DIRECTORY
_TYPES_INTO_TERMINAL = (0x5412, 0x541C)
_SETS_OWNER = (8, 15)
_SAYS_WHAT_IT_IS = 0xFFFF_FFFF


def worker_filter(programs: bool) -> bytes:
    """For ``restrict_calls``. ``programs``: whether an HTTP worker may start other programs.

    Raises OSError.
    """
    here = machine()
    if here is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    absent = [number for name in _ABSENT.split() if (number := call_number(name)) is not None]
    return denying_program(here.audit, numbered(_rules(programs)), absent, _FIRST_UNKNOWN)


def _rules(programs: bool) -> Mapping[str, Ways]:
    """In what ways which calls may be made; the frequent ones first."""
    # To the user whose file it is, and not to the one who executes it.
    plain = (0,), stat.S_ISUID | stat.S_ISGID
    never = [*_NEVER.split(), *([] if programs else _OF_PROGRAMS.split())]
    others: dict[str, Ways] = {} if programs else _alone()
    return {
        "fcntl": [[IsNot(1, command) for command in _SETS_OWNER]],
        "ioctl": [[IsNot(1, command) for command in _TYPES_INTO_TERMINAL]],
        "openat": [[Is(2, (0,), _CREATES)], [Is(3, *plain)]],
        "open": [[Is(1, (0,), _CREATES)], [Is(2, *plain)]],
        "chmod": [[Is(1, *plain)]],
        "fchmod": [[Is(1, *plain)]],
        "fchmodat": [[Is(2, *plain)]],
        "fchmodat2": [[Is(2, *plain)]],
        "creat": [[Is(1, *plain)]],
        "mknod": [[Is(1, *plain)]],
        "mknodat": [[Is(2, *plain)]],
        "clone": [[Is(0, (0,), NAMESPACES)]],
        "prlimit64": [[Is(0, (0, ITSELF))]],
        "personality": [[Is(0, (_SAYS_WHAT_IT_IS,))]],
        **others,
        **{name: [] for name in never},
    }


def _alone() -> dict[str, Ways]:
    return {
        "clone": [[Is(0, (THREAD,), THREAD | NAMESPACES)]],
        "kill": [[Is(0, (ITSELF,))]],
        "tgkill": [[Is(0, (ITSELF,))]],
    }
