"""The protobuf codec: a Row or a DataFrame of ``tfaas.proto``, answered by Predictions."""

from __future__ import annotations

from tfaas_core.codec import Codec, Encoded
from tfaas_core.errors import NotAcceptable
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.settings.tables import EngineTable
from tfaas_core.tensors import Arrays, Bound
from tfaas_core.values.bindings import Bindings
from tfaas_plugins.codecs.protobuf.binding import RowBinding
from tfaas_plugins.codecs.protobuf.document import RowsDocument, read_at_once, read_rows
from tfaas_plugins.codecs.protobuf.predictions import PredictionsWriter


class ProtobufCodec(Codec[RowsDocument]):
    """Protocol buffers in, protocol buffers out."""

    name = "proto"
    media_types = ("application/x-protobuf", "*/*")
    answer_types = media_types[:1]

    def __init__(self, max_rows: int = EngineTable().max_queue_rows) -> None:
        """``max_rows``: what a DataFrame may have; left out: as many as by default."""
        self._max_rows = max_rows
        self._bindings = Bindings(RowBinding)
        self._writers = Bindings(PredictionsWriter)

    def parse(self, body: bytes, head: Head) -> RowsDocument:
        """Reads a DataFrame if the media type's parameter ``messageType`` says so, or a Row.

        Raises BadBody, DoesNotFit, TooLarge, and UnsupportedMediaType for another message.
        """
        return read_rows(body, head.content_type, self._max_rows)

    def parse_at_once(self, body: bytes, head: Head) -> RowsDocument | None:
        """Reads a Row, or Rows that are alike, of packed numbers."""
        return read_at_once(body, head.content_type, self._max_rows)

    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        """The one input's array: of one row for a Row, of a batch for a DataFrame."""
        return self._bindings.of(version).bind(document)

    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        """One Predictions with a Class for each output value, row after row."""
        return self._encoded(outputs, version)

    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        """The same, whatever the request was; raises NotAcceptable if outputs hold no numbers.

        A Row is refused by such a model before it runs.
        """
        for spec in version.signature.outputs:
            if spec.numpy_dtype.kind not in "fiub":
                raise NotAcceptable(
                    f"model {version.name!r} answers {spec}, but Predictions hold numbers",
                    model=version.name,
                )
        return self._encoded(outputs, version)

    def _encoded(self, outputs: Arrays, version: ModelVersion) -> Encoded:
        body = self._writers.of(version).write(outputs)
        return Encoded(body, self.media_types[0])
