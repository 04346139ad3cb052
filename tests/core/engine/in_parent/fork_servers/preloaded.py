"""What a forked process finds imported, told without importing anything."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from socket import socket

OURS = "tfaas_core.engine.in_model_process.process"
"""What a model's process does."""


def say_whether_ours_is_there(sock: socket, _runtimes: Mapping[str, object]) -> None:
    sock.sendall(str(OURS in sys.modules).encode())
