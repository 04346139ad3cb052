"""Wire: how many fields a message has, before there is an object for any of them."""

from __future__ import annotations

from collections.abc import Iterator

from tfaas_core.errors import TooLarge
from tfaas_plugins.wire import fields

MAX_ROW_BYTES = 1 << 26
"""Of one Row, which is read at once."""
MAX_ROW_FIELDS = 100_000
"""Each key is a field, and so is each number that is not packed."""

MOST_QUICK_BYTES = 1 << 21
"""So much is read in milliseconds, whatever it is."""

_ROW_TAG = 0x0A
_LEAST_FIELD_BYTES = 2


def check_frame(body: bytes, max_rows: int) -> None:
    """Raises TooLarge if a DataFrame has more rows than may ever wait for a model, or Broken.

    Other fields are counted as well, since they are read, too. That the body is a DataFrame is not
    checked.
    """
    if len(body) <= _LEAST_FIELD_BYTES * max_rows:
        return
    for index, (_, start, end) in enumerate(fields(body)):
        if index >= max_rows:
            raise TooLarge(
                f"the DataFrame has more than the {max_rows} rows that may ever wait for a model "
                "(engine.max_queue_rows); send fewer at a time",
                expected=max_rows,
            )
        check_row(body, start, end, f"row[{index}]")


def check_row(body: bytes, start: int, end: int, place: str) -> None:
    """Raises TooLarge if the Row between ``start`` and ``end`` is too long, or has many fields.

    Numbers that are packed, as all libraries write them, are one field.
    """
    size = end - start
    if size <= MOST_QUICK_BYTES:
        return
    if size > MAX_ROW_BYTES:
        raise TooLarge(
            f"{place} has {size} bytes, a Row may have {MAX_ROW_BYTES}; send MessagePack instead",
            expected=MAX_ROW_BYTES,
            got=size,
        )
    if any(count >= MAX_ROW_FIELDS for count, _ in enumerate(fields(body, start, end))):
        raise TooLarge(
            f"{place} has more than {MAX_ROW_FIELDS} fields; send its values packed",
            expected=MAX_ROW_FIELDS,
        )


def rows_in(body: bytes) -> Iterator[bytes]:
    """The rows of a DataFrame, one after the other. Raises Broken if it is none."""
    for tag, start, end in fields(body):
        if tag == _ROW_TAG:
            yield body[start:end]
