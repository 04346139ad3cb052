"""When Python looks for cycles among its objects."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_MANY = 300_000
"""Objects; a start without plugins of others leaves a tenth of that."""


@contextmanager
def lasting(leaves_garbage: bool = True) -> Iterator[None]:
    """What is there at the end of the block stays for good, like all that an import makes.

    To look for cycles in it takes time, and finds next to nothing: that is not done, neither in
    the block nor later. Nor does a forked process write to it then, and so copy its pages. If the
    block leaves far more than a start does, as a plugin may, what is garbage of that goes first,
    unless it is known that hardly any of it is: ``leaves_garbage`` is False.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        if leaves_garbage and gc.get_count()[0] > _MANY:
            gc.collect()
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
