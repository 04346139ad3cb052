"""What tests of runtimes do in a fresh process: TensorFlow is imported once in each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tfaas_core.runtime import Runtime

_LOAD_EACH_IN_A_FORK = """
import importlib, os, signal, sys
import os
import subprocess
import sys
from pathlib import Path
from tfaas_core.engine.in_model_process.warming.warmup import warm
from tfaas_core.errors import TfaasError
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions

module, name, artifacts = sys.argv[1:]
runtime = getattr(importlib.import_module(module), name)()
for module in runtime.preload:
    importlib.import_module(module)

def load(artifact):
    signal.alarm(20)
    try:
        warm(runtime.load(artifact, Params(), LoadOptions(threads=1)))
    except TfaasError as error:
        assert chr(10) not in error.message and len(error.message) < 500, error.message
        assert str(artifact) not in error.message, error.message

for artifact in sorted(Path(artifacts).iterdir()):
    pid = os.fork()
    if pid == 0:
        try:
            load(artifact)
        except BaseException as error:
            print(artifact.name, repr(error), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
"""


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs ``code`` with none of TensorFlow's variables set."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    environment = unset | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def check_loading(runtime: type[Runtime], artifacts: Path) -> None:
    """Loads and warms all that is in the folder, each in a process, since it may die of it.

    Fails if one raises anything but a TfaasError.
    """
    done = run_python(
        _LOAD_EACH_IN_A_FORK, runtime.__module__, runtime.__qualname__, str(artifacts)
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr[-2000:]
