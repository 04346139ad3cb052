"""Files of Parquet."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import parquet

from tfaas_codec_arrow.kinds import innermost, is_number
from tfaas_codec_arrow.limit import Limit
from tfaas_codec_arrow.pages import expanded_bytes
from tfaas_codec_arrow.source import Source, check_names, one_line, read_as
from tfaas_core.errors import DoesNotFit

PARQUET_MAGIC = b"PAR1"
_FORM = "a Parquet file"


class ParquetSource(Source):
    """A file; raises BadBody. Its columns are numbers, booleans and lists of these."""

    is_heavy = True

    def __init__(self, body: bytes) -> None:
        self._body = body
        with read_as(_FORM):
            self.schema = self._opened().schema_arrow
            check_names(self.schema)

    def batches(self, limit: Limit) -> list[pa.RecordBatch]:
        """Raises DoesNotFit for columns of text, too: a few bytes may spell any length of it."""
        for field in self.schema:
            if not _is_bounded(field.type):
                raise DoesNotFit(
                    f"column {field.name[:80]!r} is {one_line(str(field.type))}, of Parquet "
                    "numbers and booleans are read; send an Arrow stream, or leave it out",
                    field=field.name[:80],
                )
        with read_as(_FORM):
            limit.check(expanded_bytes(self._body, limit.limit_bytes))
            return list(self._opened().read(use_threads=False).to_batches())

    def _opened(self) -> parquet.ParquetFile:
        return parquet.ParquetFile(pa.BufferReader(self._body), page_checksum_verification=True)


def _is_bounded(kind: pa.DataType) -> bool:
    """Whether a value takes 8 bytes at most."""
    kind = innermost(kind)
    return is_number(kind) or kind in (pa.bool_(), pa.null())
