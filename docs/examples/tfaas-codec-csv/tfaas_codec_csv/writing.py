"""Outputs as tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterator
from itertools import zip_longest

import msgspec
import numpy as np

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, Arrays, BatchAxis, TensorSpec
from tfaas_core.values.labels import flat_rows, labels_of

_ROWS_OF_A_PIECE = 1000
_NO_CELL = str.maketrans("\t\r\n", "   ")


class TableWriter(msgspec.Struct, frozen=True):
    """Writes rows, a thousand at a time.

    Without ``is_quoted``, tabs and line ends in a cell become spaces.
    """

    delimiter: str
    is_quoted: bool

    def pieces(self, outputs: Arrays, version: ModelVersion) -> Generator[bytes]:
        """The names of columns, and then the rows.

        Outputs of fewer rows than others, constant ones among them, leave the cells below empty.
        """
        batched = version.signature.batch is not BatchAxis.NONE
        specs = version.signature.outputs
        tables = [flat_rows(outputs[s.name], batched and not s.constant) for s in specs]
        alone = len(specs) == 1
        names = [
            name
            for spec, table in zip(specs, tables, strict=True)
            for name in _names(spec, table.shape[1], version, alone)
        ]
        yield self._written([names])
        for start in range(0, max(map(len, tables)), _ROWS_OF_A_PIECE):
            parts = [table[start : start + _ROWS_OF_A_PIECE] for table in tables]
            yield self._written(_rows(parts))

    def _written(self, rows: list[list[str]]) -> bytes:
        lines = io.StringIO(newline="")
        if self.is_quoted:
            csv.writer(lines, delimiter=self.delimiter, lineterminator="\n").writerows(rows)
        else:
            for row in rows:
                cells = (cell.translate(_NO_CELL) for cell in row)
                lines.write(self.delimiter.join(cells) + "\n")
        return lines.getvalue().encode()


def _names(spec: TensorSpec, columns: int, version: ModelVersion, alone: bool) -> Iterator[str]:
    """The labels of the columns, if there are any, or else the output's name, with numbers."""
    labels = labels_of(columns, version.labels, alone)
    for number, label in enumerate(labels):
        if columns == 1 and not label:
            yield spec.name
        elif alone and label:
            yield label
        else:
            yield f"{spec.name}_{label or number}"


def _rows(parts: list[Array]) -> list[list[str]]:
    lists = [_texts(part) for part in parts]
    widths = [part.shape[1] for part in parts]
    together = zip_longest(*lists)
    return [
        [cell for row, width in zip(each, widths, strict=True) for cell in row or [""] * width]
        for each in together
    ]


def _texts(part: Array) -> list[list[str]]:
    """Numbers with the fewest digits that tell them apart."""
    if part.dtype == object:
        return [[_text(value) for value in row] for row in part]
    texts: list[list[str]] = part.astype(np.str_).tolist()
    return texts


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")
