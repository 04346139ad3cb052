"""What a process has forgotten of its environment can be looked up nowhere."""

from __future__ import annotations

import subprocess
import sys

from tfaas_core.sandbox.environment import hidden_variables

_FORGETS = """
import ctypes, os, posix
from pathlib import Path
from tfaas_core.sandbox.forgetting import forget_variables

forget_variables(["THE_SECRET", "NOT_THERE"])
assert "THE_SECRET" not in os.environ and b"THE_SECRET" not in posix.environ
block = Path("/proc/self/environ").read_bytes()
assert block and not block.strip(b"\\0"), block
c = ctypes.CDLL(None)
c.getenv.restype = ctypes.c_char_p
assert c.getenv(b"THE_SECRET") is None
assert c.getenv(b"KEPT") == "k\u00e4pt".encode()
subprocess = __import__("subprocess").run(["/usr/bin/env"], capture_output=True, check=True)
assert b"KEPT=" in subprocess.stdout and b"THE_SECRET" not in subprocess.stdout
# Nothing of it is left where the kernel had put it.
for line in Path("/proc/self/maps").read_text().splitlines():
    if line.endswith("[stack]"):
        begin, end = (int(place, 16) for place in line.split()[0].split("-"))
        with open("/proc/self/mem", "rb") as memory:
            memory.seek(begin)
            assert b"5ecret" + b"-value" not in memory.read(end - begin)
"""


def test_a_variable_is_gone_and_the_others_stay() -> None:
    env = {"THE_SECRET": "5ecret-value", "KEPT": "k\u00e4pt", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", _FORGETS], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_no_pattern_fits_is_hidden_unless_it_is_usual_or_named() -> None:
    environ = dict.fromkeys(["PATH", "LC_ALL", "AWS_KEY", "DB_URL", "OTEL_X", "TF_VAR_y"], "x")
    assert hidden_variables(environ, ["*"], []) == set()
    assert hidden_variables(environ, [], []) == {"AWS_KEY", "DB_URL", "OTEL_X", "TF_VAR_y"}
    assert hidden_variables(environ, ["OTEL_*"], ["DB_URL"]) == {"AWS_KEY", "TF_VAR_y"}
