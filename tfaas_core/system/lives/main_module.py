"""The script that Python was started with, which spawned processes need not import."""

from __future__ import annotations

import sys


def forget_main() -> None:
    """Keeps multiprocessing from importing the command's script into each process it starts."""
    main = sys.modules["__main__"]
    main.__spec__ = None
    vars(main).pop("__file__", None)
