"""When Python looks for cycles among its objects."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """What is there at the end of the block stays for good, like all that an import makes.

    To look for cycles in it takes time, and finds next to nothing: that is not done, neither in
    the block nor later. Nor does a forked process write to it then, and so copy its pages.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
