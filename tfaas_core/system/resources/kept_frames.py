"""Kept frames: what an error keeps of all that was called, with whatever that had."""

from __future__ import annotations


def forget_frames(error: BaseException) -> None:
    """For whoever was told of ``error``, and has logged it, if that was to be done.

    A future that gives an error has it, too, and is in these frames. So a body of hundreds of
    megabytes would stay until Python looks for such cycles, which it does seldom.
    """
    seen, found = set[int](), [error]
    while found:
        each = found.pop()
        if id(each) not in seen:
            seen.add(id(each))
            # A plugin's class may forbid to set anything of it, as frozen dataclasses do.
            BaseException.with_traceback(each, None)
            found += [other for other in (each.__cause__, each.__context__) if other is not None]
            found += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
