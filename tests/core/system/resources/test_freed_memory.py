from __future__ import annotations

import subprocess
import sys

import pytest

from tfaas_core.system.resources.pages import PAGE_BYTES

_ROUNDS = 20
_PIECES, _PIECE_BYTES = 8, 1 << 19

_CODE = f"""
import resource
from tfaas_core.system.resources.freed_memory import keep_freed

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def use():
    return [bytes([1]) * {_PIECE_BYTES} for _ in range({_PIECES})]

if %d:
    keep_freed(%d)
use()
before = faults()
for _ in range({_ROUNDS}):
    use()
print(faults() - before)
"""


def faults(kept_bytes: int) -> int:
    """How often a process asks the kernel for pages that uses the same memory again and again."""
    code = _CODE % (kept_bytes, kept_bytes)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the C library is another one")
def test_memory_that_is_used_again_and_again_is_asked_for_once() -> None:
    pages = _PIECES * _PIECE_BYTES // PAGE_BYTES
    assert faults(0) > pages * _ROUNDS / 4
    assert faults(4 * _PIECES * _PIECE_BYTES) < pages
