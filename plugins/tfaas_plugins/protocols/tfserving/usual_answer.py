"""The usual answer to a predict request: one small output of numbers."""

from __future__ import annotations

from tfaas_core.tensors import Arrays
from tfaas_plugins.protocols.small_arrays import small_written


def usual_answer(outputs: Arrays, by_rows: bool) -> bytes | None:
    """What ``tensors.rows_answer`` gives, or ``columns_answer``, sooner.

    None: it is for them to write, or to refuse.
    """
    if len(outputs) != 1:
        return None
    (array,) = outputs.values()
    written = small_written(array)
    if written is None:
        return None
    return (b'{"predictions":%b}' if by_rows else b'{"outputs":%b}') % written
