"""A right codec for the suite to pass, and for wrong ones to derive from: a line a row."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.errors import BadBody, DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.route import Head
from tfaas_core.tensors import Array, Arrays, BatchAxis, Bound
from tfaas_core.testing.codec import CodecContract, Sample
from tfaas_core.testing.models import model_version


class RowsDocument(Document):
    """``rows`` are the cells of each line, still text."""

    rows: list[list[str]]


class RowsCodec(Codec[RowsDocument]):
    """For models of one input [rows, columns] of float32."""

    name: ClassVar[str] = "rows"
    media_types: ClassVar[tuple[str, ...]] = ("text/rows",)

    def parse(self, body: bytes, head: Head) -> RowsDocument:
        try:
            lines = body.decode().splitlines()
        except UnicodeDecodeError as error:
            raise BadBody(f"byte {error.start} is not UTF-8") from None
        model = re.search(r"model=(\w+)", head.content_type)
        return RowsDocument([line.split(",") for line in lines], model=model and model[1])

    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        first, *others = version.signature.inputs
        if others or first.dtype != "float32" or version.signature.batch is BatchAxis.NONE:
            raise DoesNotFit(f"model {version.name!r} does not take rows of float32")
        if not document.rows:
            row = [size or 1 for size in version.signature.row_shape(first) or (1,)]
            return Bound({first.name: np.zeros([0, *row], np.float32)}, 0, False, whole=True)
        if len({len(row) for row in document.rows}) != 1:
            raise DoesNotFit("the lines are not equally long")
        array = self.numbers(document.rows, version)
        return Bound({first.name: array}, len(array), len(array) == 1)

    def numbers(self, rows: list[list[str]], version: ModelVersion) -> Array:
        """The array of the cells."""
        try:
            numbers = np.array(rows, np.float64)
        except ValueError:
            raise DoesNotFit("a cell is not a number") from None
        if not np.all(np.abs(numbers[~np.isnan(numbers)]) <= np.finfo(np.float32).max):
            raise DoesNotFit("a cell is too large")
        if np.isnan(numbers).any() and not Params.of(version.params).accepts_nan:
            raise DoesNotFit("a cell is NaN")
        return numbers.astype(np.float32)

    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        text = "".join(self.lines(output, version) for output in outputs.values())
        return Encoded(text.encode(), "text/rows; charset=utf-8")

    def lines(self, output: Array, version: ModelVersion) -> str:
        """An output's lines, a row each: its values, and the labels of those that have any."""
        rows = output if output.ndim else output.reshape(1)
        return "".join(self.line(np.ravel(row), version) + "\n" for row in rows)

    def line(self, row: Array, version: ModelVersion) -> str:
        """The values of a row, and the labels of those that have any."""
        labels = [*version.labels, *[""] * row.size]
        pairs = zip(map(str, row), labels, strict=False)
        return ",".join(f"{value}={label}" if label else value for value, label in pairs)


VERSION = model_version()


def f32(values: object) -> Array:
    return np.array(values, np.float32)


class RowsContract(CodecContract):
    """The suite, with samples of such rows."""

    make_codec = RowsCodec
    samples: ClassVar[list[Sample]] = [
        Sample(
            b"1,2.5\n",
            VERSION,
            Bound({"x": f32([[1, 2.5]])}, 1, True),
            {"y": f32([[0.5]])},
            b"0.5\n",
        ),
        Sample(
            b"1,2\n300,-4\n",
            VERSION,
            Bound({"x": f32([[1, 2], [300, -4]])}, 2, False),
            {"y": f32([[0.5], [0.25]])},
            b"0.5\n0.25\n",
            content_type="text/rows; model=vk",
        ),
        Sample(
            b"1,nan\n",
            model_version(params={"nan": "accept"}),
            Bound({"x": f32([[1, np.nan]])}, 1, True),
            {"y": f32([[0.5]])},
            b"0.5\n",
        ),
        Sample(
            b"",
            VERSION,
            Bound({"x": f32(np.zeros((0, 2)))}, 0, False, whole=True),
            {"y": f32(np.zeros((0, 1)))},
            b"",
        ),
    ]
