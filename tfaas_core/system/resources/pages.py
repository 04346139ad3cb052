"""Pages: whether there is memory behind what processes share, before it is used.

A file in memory is as long as it is said to be, and has no page before the first use of it. If
there is none left then, whoever reads or writes is killed by SIGBUS.
"""

from __future__ import annotations

import errno
import mmap

PAGE_BYTES = mmap.PAGESIZE
_POPULATE_READ, _POPULATE_WRITE = 22, 23
"""Of madvise(2): has pages made, and tells if there are none."""


def are_there(memory: mmap.mmap, begin: int, end: int, *, to_write: bool) -> bool:
    """Whether bytes ``begin``, where a page begins, to ``end`` may be read, or written.

    They may until somebody gives their pages back. A kernel before Linux 5.14 cannot tell: yes.
    """
    if begin >= end:
        return True
    try:
        memory.madvise(_POPULATE_WRITE if to_write else _POPULATE_READ, begin, end - begin)
    except OSError as error:
        return error.errno == errno.EINVAL
    return True
