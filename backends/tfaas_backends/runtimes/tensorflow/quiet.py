"""TensorFlow, imported without its noise, with the settings that the runtimes rely on.

All of ``runtimes`` imports it from here. The import takes seconds and starts no thread, so a
process that has done it can be forked. A variable that the environment already sets keeps its
value; with a ``TF_CPP_MIN_LOG_LEVEL`` below 3, nothing is silenced.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from tfaas_core.system.output.muted import stderr_muted
from tfaas_core.system.resources.collecting import lasting

_SETTINGS = {
    # Only what makes the process abort: everything else is raised, and answered, as an error.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # oneDNN costs a small dense network three quarters of its speed and some of its last digits.
    # Large convolutional ones run up to twice as fast with it.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # Otherwise the first session of a process decides how many threads all later ones have.
    "TF_OVERRIDE_GLOBAL_THREADPOOL": "1",
}


_LEFT_OUT = ("keras.src", "pandas", "polars", "pyarrow")
"""What TensorFlow imports if it is there, and does without.

Keras 3 has optimizers to register, for those who train: a tenth of the import. pandas, or what that
imports, starts threads.
"""


@contextmanager
def _left_out() -> Iterator[None]:
    """Has ``import`` find none of them in the block, unless they are imported already."""
    names = [name for name in _LEFT_OUT if name not in sys.modules]
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)


def _import_tensorflow() -> Any:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    # Some of its noise is written whatever the level.
    is_quiet = os.environ["TF_CPP_MIN_LOG_LEVEL"] >= "3"
    # To look through a quarter of a million objects is a tenth of the import; 800 are garbage.
    unseen = lasting(leaves_garbage=False)
    with unseen, _left_out(), stderr_muted() if is_quiet else nullcontext():
        return importlib.import_module("tensorflow")


tf: Any = _import_tensorflow()
"""The ``tensorflow`` module."""
