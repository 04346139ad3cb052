"""Whether an input that fails today failed before: luck found it now, and no change is to blame."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

_GIT_S = 60


def revision_before(when: str, root: Path) -> str | None:
    """The last commit before ``when``, as git reads times, or None: there is none but HEAD.

    Commits of a branch count from when it was merged.
    """
    found = _git(root, "rev-list", "-1", "--first-parent", f"--before={when}", "HEAD")
    head = _git(root, "rev-parse", "HEAD")
    return found.decode().strip() if found and found != head else None


def failed_at(
    revision: str, root: Path, command: Sequence[str], status: int, most_s: float
) -> bool:
    """Whether ``command``, of the code of ``revision``, ends with this ``status``, too.

    1 is how Python ends if something is not there, which says nothing.
    """
    packed = _git(root, "archive", "--format=tar", revision)
    if status == 1 or packed is None:
        return False
    with TemporaryDirectory(prefix="tfaas-fuzz-") as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        paths = [folder, *(str(Path(folder, part)) for part in ("plugins", "backends"))]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        quiet = subprocess.DEVNULL
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, stdout=quiet, stderr=quiet, timeout=most_s
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == status


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, timeout=_GIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
