"""The arrow codec: a table of Arrow or Parquet, a row of it for each row of the model."""

from __future__ import annotations

from functools import partial

from tfaas_codec_arrow.binding import TableBinding
from tfaas_codec_arrow.limit import Limit
from tfaas_codec_arrow.parquet import PARQUET_MAGIC, ParquetSource
from tfaas_codec_arrow.source import Source
from tfaas_codec_arrow.stream import StreamSource
from tfaas_codec_arrow.writing import pieces
from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import number_of
from tfaas_core.route import Head
from tfaas_core.tensors import Arrays, Bound
from tfaas_core.values.bindings import Bindings

ARROW_STREAM = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"


class TableDocument(Document):
    """A table of which the schema was read."""

    source: Source


class ArrowCodec(Codec[TableDocument]):
    """The query names the model, if the path does not. What it reads, the body's bytes tell."""

    name = "arrow"
    media_types = (ARROW_STREAM, PARQUET)

    def __init__(self, limit_bytes: int) -> None:
        limit = Limit(limit_bytes)
        self._bindings = Bindings(partial(TableBinding, limit=limit))

    def parse(self, body: bytes, head: Head) -> TableDocument:
        """Reads the schema; raises BadBody, and DoesNotFit if a column has a dictionary."""
        query, version = head.query, head.query.get("version")
        return TableDocument(
            model=query.get("model"),
            version=None if version is None else number_of(version),
            label=query.get("label"),
            source=(ParquetSource if body.startswith(PARQUET_MAGIC) else StreamSource)(body),
        )

    def is_heavy(self, document: TableDocument, version: ModelVersion) -> bool:
        return document.source.is_heavy

    def bind(self, document: TableDocument, version: ModelVersion) -> Bound:
        """Columns of numbers in the order of the model's features, or a column for each input."""
        return self._bindings.of(version).bind(document.source)

    def encode(
        self, outputs: Arrays, bound: Bound, document: TableDocument, version: ModelVersion
    ) -> Encoded:
        return self.encode_other(outputs, bound, version)

    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        """A stream with a column for each output, or for each label."""
        return Encoded(b"", ARROW_STREAM, pieces=pieces(outputs, version))
