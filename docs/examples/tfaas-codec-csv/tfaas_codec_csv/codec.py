"""The csv and tsv codecs: a line a row, with the names of columns above."""

from __future__ import annotations

from email.message import Message

from tfaas_codec_csv.reading import TableReader, numbers_of
from tfaas_codec_csv.writing import TableWriter
from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.errors import BadBody
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import number_of
from tfaas_core.route import Head
from tfaas_core.tensors import Arrays, Bound
from tfaas_core.values.bindings import Bindings
from tfaas_core.values.number_rows import NumberRows

_HEAVY_LENGTH = 20_000
"""A longer text is bound in a thread, so that the event loop goes on with other clients."""


class TableDocument(Document):
    """A table whose first row was read. ``names``: those of its columns; None: it has none."""

    text: str
    names: list[str] | None = None


class CsvCodec(Codec[TableDocument]):
    """For models of one input of numbers. The query names the model, if the path does not."""

    name = "csv"
    media_types = ("text/csv",)
    reader = TableReader(delimiter=",", is_quoted=True)
    writer = TableWriter(delimiter=",", is_quoted=True)

    def __init__(self) -> None:
        self._bindings = Bindings(NumberRows)

    def parse(self, body: bytes, head: Head) -> TableDocument:
        """Reads the first row; raises BadBody if it cannot be read, or the body is not UTF-8."""
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadBody(f"the body is not UTF-8: see byte {error.start}") from None
        query, version = head.query, head.query.get("version")
        return TableDocument(
            model=query.get("model"),
            version=None if version is None else number_of(version),
            label=query.get("label"),
            text=text,
            names=self.reader.names(text, _parameter(head.content_type, "header")),
        )

    def is_heavy(self, document: TableDocument, version: ModelVersion) -> bool:
        return len(document.text) > _HEAVY_LENGTH

    def bind(self, document: TableDocument, version: ModelVersion) -> Bound:
        """Rows in the order of the model's features, if the columns have names."""
        names = document.names
        numbers = numbers_of(self.reader.rows(document.text, skip=names is not None), names)

        def place(row: int, column: int) -> str:
            return f"row {row + 1}, column {column + 1 if names is None else repr(names[column])}"

        binding = self._bindings.of(version)
        return binding.bind(numbers, single=len(numbers) == 1, names=names, place=place)

    def encode(
        self, outputs: Arrays, bound: Bound, document: TableDocument, version: ModelVersion
    ) -> Encoded:
        return self.encode_other(outputs, bound, version)

    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        """A column for each number of an output's rows, and the names of columns above."""
        media_type = f"{self.media_types[0]}; charset=utf-8; header=present"
        return Encoded(b"", media_type, pieces=self.writer.pieces(outputs, version))


class TsvCodec(CsvCodec):
    """The same, with tabs, and nothing quoted."""

    name = "tsv"
    media_types = ("text/tab-separated-values",)
    reader = TableReader(delimiter="\t", is_quoted=False)
    writer = TableWriter(delimiter="\t", is_quoted=False)


def _parameter(content_type: str, name: str) -> str:
    message = Message()
    message["Content-Type"] = content_type
    return str(message.get_param(name, "")).lower()
