"""``tfaas copy``, in a process of its own, that has come half-way and stays there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.plugin_site import environment_with, write_plugin
from tfaas_core.testing.waiting import until

STORED = 3
"""Versions that are copied before it stays; the next one is in its staging folder."""

_PLUGIN = f"""
import os, time
from pathlib import Path
from tfaas_core.hookspecs import hookimpl
from tfaas_core.uploads.quota import Quota

commit, begun = Quota.commit, []

def held(*arguments, **named):
    begun.append(arguments)
    if len(begun) > {STORED}:
        Path(os.environ["STAYS"]).touch()
        time.sleep(600)
    return commit(*arguments, **named)

Quota.commit = held

@hookimpl
def tfaas_register_codecs():
    return []
"""


@contextmanager
def half_copy(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """``tfaas copy ARGUMENTS``; in the block, ``STORED`` versions are there, and one half.

    ``folder``: what it takes is written there.
    """
    write_plugin(folder / "site", "tfaas-staying", _PLUGIN)
    stays = folder / "stays"
    process = subprocess.Popen(
        [sys.executable, "-m", "tfaas_core", "copy", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment_with(folder / "site") | {"STAYS": str(stays)},
    )
    try:
        until(lambda: stays.exists() or process.poll() is not None, what="it is half-way")
        yield process
    finally:
        process.kill()
        process.communicate()
