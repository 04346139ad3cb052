"""Tables as text, and the numbers in them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
import numpy as np

from tfaas_core.errors import BadBody, DoesNotFit
from tfaas_core.tensors import Array

_NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.I
)
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)


class TableReader(msgspec.Struct, frozen=True):
    """Reads rows. ``is_quoted``: whether cells may stand in quotes, as in RFC 4180."""

    delimiter: str
    is_quoted: bool

    def rows(self, text: str, skip: bool = False) -> Iterator[list[str]]:
        """The cells of each row, without blank ones, and without the first if ``skip``.

        Raises BadBody.
        """
        quoting = csv.QUOTE_MINIMAL if self.is_quoted else csv.QUOTE_NONE
        lines = io.StringIO(text, newline="")
        reader = csv.reader(lines, delimiter=self.delimiter, quoting=quoting, strict=True)
        try:
            yield from islice((row for row in reader if row), int(skip), None)
        except csv.Error as error:
            line = reader.line_num
            raise BadBody(f"the table cannot be read, see line {line}: {error}") from None

    def names(self, text: str, header: str) -> list[str] | None:
        """The names of the columns; None if the first row has numbers, or ``header`` is absent.

        Raises BadBody if nothing tells whether it is names: it has both numbers and texts.
        """
        first = next(self.rows(text), None)
        if first is None or header == "absent":
            return None
        names = [cell.strip() for cell in first]
        kinds = {bool(_NUMBER.fullmatch(name)) for name in names if name}
        if header != "present" and len(kinds) > 1:
            raise BadBody(
                "the first row has numbers and texts; say in the media type whether it names the "
                "columns, by `header=present` or `header=absent`"
            )
        return names if header == "present" or False in kinds else None


def numbers_of(rows: Iterator[list[str]], names: Sequence[str] | None) -> Array:
    """The numbers of all rows, [rows, columns]: int64, or float64, where an empty cell is NaN.

    Raises BadBody if the rows are not equally long, DoesNotFit if a cell is no number.
    """
    columns = None if names is None else len(names)
    cells: list[str] = []
    count = 0
    for row in rows:
        columns = len(row) if columns is None else columns
        count += 1
        if len(row) != columns:
            raise BadBody(f"row {count} has {len(row)} cells, expected {columns}")
        cells += map(str.strip, row)
    shape = count, columns or 0
    if all(map(_INTEGER.fullmatch, cells)):
        return np.array(list(map(int, cells)), np.int64).reshape(shape)
    for index, cell in enumerate(cells):
        if cell and not _NUMBER.fullmatch(cell):
            row, column = divmod(index, shape[1])
            named = column + 1 if names is None else repr(names[column][:40])
            raise DoesNotFit(f"row {row + 1}, column {named} is {cell[:40]!r}, expected a number")
    return np.array([float(cell or "nan") for cell in cells], np.float64).reshape(shape)
