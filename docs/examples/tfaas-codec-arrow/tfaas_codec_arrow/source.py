"""Source: a table that is sent, as far as it can be told without expanding it."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from tfaas_codec_arrow.limit import Limit
from tfaas_core.errors import BadBody


class Source(ABC):
    """A table, of which ``schema`` was read."""

    schema: pa.Schema

    is_heavy: bool
    """Whether it may take milliseconds to read it."""

    @abstractmethod
    def batches(self, limit: Limit) -> list[pa.RecordBatch]:
        """All rows, with all columns. They are views of the body where it has them as they are.

        Raises BadBody, and TooLarge before it expands anything beyond the limit.
        """


@contextmanager
def read_as(form: str) -> Iterator[None]:
    """Raises BadBody for whatever pyarrow says of a body that is no such form."""
    try:
        yield
    # A broken header is an error of struct, or an index beyond the end.
    except (pa.ArrowException, OSError, ValueError, IndexError, struct.error) as error:
        raise BadBody(f"the body is not {form}: {one_line(str(error))}") from None


def check_names(schema: pa.Schema) -> None:
    """Raises ValueError if the name of a column is not UTF-8: pyarrow decodes it when asked."""
    for field in schema:
        field.name.isascii()


def one_line(text: str) -> str:
    """Text of a client's or of pyarrow's, as a message may quote it."""
    line = text.partition("\n")[0][:200]
    return "".join(sign if sign.isprintable() else "?" for sign in line)
