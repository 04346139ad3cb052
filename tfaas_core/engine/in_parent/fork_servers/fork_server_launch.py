"""Launch: the command that starts a fork server, with an environment of its own.

``multiprocessing`` would give it all variables of the parent, which may hold secrets; and what a
process was started with stays in its memory, and in that of all that it forks.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping

from tfaas_core.system.lives.lifeline import LifelineEnd
from tfaas_core.system.lives.signals import stop_signals_blocked

_CODE = "from tfaas_core.engine.in_fork_server.beginning import begin; begin({}, {})"

_KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": f"{32 << 20}", "MALLOC_TRIM_THRESHOLD_": f"{64 << 20}"}
"""Else the C library may give back, and the kernel clears, what each run of a model takes. It does
go up to these by itself, but only where a run frees such pieces."""


def launched(
    sock: socket.socket, end: LifelineEnd, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """A new fork server, which hears of its orders over ``sock``. Raises OSError.

    Python finds the modules that this process finds.
    """
    descriptors = sock.fileno(), end.fileno()
    warnings = [f"-W{option}" for option in sys.warnoptions]
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    with stop_signals_blocked():
        return subprocess.Popen(
            [sys.executable, "-P", *warnings, "-c", _CODE.format(*descriptors)],
            env={**_KEEPS_MEMORY, **environment, "PYTHONPATH": path},
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
        )
