"""Streams of Arrow IPC: a schema, then batches of rows."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import ipc

from tfaas_codec_arrow.limit import Limit
from tfaas_codec_arrow.messages import batch_header, expanded_bytes
from tfaas_codec_arrow.source import Source, check_names, read_as
from tfaas_core.errors import BadBody, DoesNotFit

_HEAVY_BYTES = 20_000
_FORM = "a stream of Arrow"
# A column of a client may lie at any byte; what is as it should be is not copied.
_OPTIONS = ipc.IpcReadOptions(
    ensure_alignment=ipc.Alignment.DataTypeSpecific,
    # The pool's threads would have to be waited for.
    use_threads=False,
)


class StreamSource(Source):
    """A stream; raises BadBody, and DoesNotFit if a column has a dictionary."""

    def __init__(self, body: bytes) -> None:
        if not body:
            raise BadBody("the body is empty, send a stream of Arrow or a Parquet file")
        if body.startswith(b"ARROW1"):
            raise BadBody("the body is a file of Arrow, or Feather; send a stream of Arrow")
        self._body = body
        file = pa.BufferReader(body)
        with read_as(_FORM):
            # ipc.read_schema would crash over a message that is none.
            self.schema = ipc.open_stream(body).schema
            _, *messages = ipc.MessageReader.open_stream(file)
            check_names(self.schema)
        if file.tell() != len(body):
            raise BadBody(f"the stream of Arrow ends at byte {file.tell()} of {len(body)}")
        for message in messages:
            if message.type != "record batch":
                raise DoesNotFit(
                    f"the stream has a message of type {message.type!r}, send columns of plain "
                    "values: cast those of categories"
                )
        with read_as(_FORM):
            headers = [batch_header(message.metadata) for message in messages]
            self._expanded_bytes = sum(map(expanded_bytes, messages, headers))
        cells = sum(header.rows for header in headers) * len(self.schema)
        self.is_heavy = max(len(body), self._expanded_bytes, cells) > _HEAVY_BYTES

    def batches(self, limit: Limit) -> list[pa.RecordBatch]:
        limit.check(self._expanded_bytes)
        with read_as(_FORM), ipc.open_stream(self._body, options=_OPTIONS) as stream:
            batches = list(stream)
            for batch in batches:
                batch.validate(full=True)
        return batches
