"""What another account of this machine is told: one that owns nothing and may do little."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_NOBODY = 65_534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another account")


def told_nobody(call: Callable[[], object]) -> str:
    """What ``call`` raises in a process of that account; empty: nothing."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            os.write(writing, _told(call).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    return told


def _told(call: Callable[[], object]) -> str:
    # Sockets need it, and the other account may be unable to import it.
    "x".encode("idna")
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    try:
        call()
    except Exception as error:
        return str(error) or repr(error)
    return ""


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every account can enter, unlike pytest's; root alone may write there."""
    with tempfile.TemporaryDirectory(prefix="tfaas-test-") as name:
        os.chmod(name, 0o755)
        yield Path(name)
