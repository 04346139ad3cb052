"""How a request's body is read as messages of ``tfaas.proto``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tfaas_core.codec import Document
from tfaas_core.errors import BadBody, DoesNotFit, UnsupportedMediaType
from tfaas_core.tensors import Array
from tfaas_plugins.codecs.protobuf.rows_alike import has_packed_numbers, rows_alike
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import DataFrame, Row
from tfaas_plugins.codecs.protobuf.wire import check_frame, check_row, rows_in
from tfaas_plugins.codecs.values.usual import MOST_ARRAY_BYTES
from tfaas_plugins.wire import Broken

ROW = "tfaaspb.Row"
DATA_FRAME = "tfaaspb.DataFrame"
ANNOUNCED = f"`application/x-protobuf; messageType={DATA_FRAME}`"
_MOST_AT_ONCE_BYTES = 1 << 24
"""Of a DataFrame: nothing else can run while one is read."""
_MESSAGE_TYPE = re.compile(r';\s*messagetype\s*=\s*"?([^";]*)', re.IGNORECASE)


class RowsDocument(Document):
    """The rows of a DataFrame; ``single``: the one Row that was sent by itself.

    If rows are alike but for their numbers, ``numbers`` are these, float32 [rows, columns], and
    ``rows`` has the first one alone.
    """

    rows: Sequence[Row] = ()
    single: bool = True
    numbers: Array | None = None

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.rows if self.numbers is None else self.numbers)

    def place(self, index: int, field: str) -> str:
        """Where a field of a row was: ``value``, or ``row[2].value``."""
        return field if self.single else f"row[{index}].{field}"


def read_rows(body: bytes, content_type: str, max_rows: int) -> RowsDocument:
    """The rows that ``body`` holds, with the model that they name.

    Raises BadBody if the body is not the message announced, DoesNotFit if a DataFrame names
    several models, TooLarge if it has more than ``max_rows``, UnsupportedMediaType if another
    message is announced.
    """
    kind = _kind(content_type)
    try:
        if kind == DATA_FRAME:
            if (found := rows_alike(body, max_rows)) is not None:
                return _alike(*found)
            check_frame(body, max_rows)
            rows = _rows_of(body)
            return RowsDocument(rows, single=False, model=_model(rows))
        if kind == ROW:
            check_row(body, 0, len(body), "the body")
            return _alone(body)
    except (DecodeError, Broken):
        hint = f"; a DataFrame is announced as {ANNOUNCED}" if kind == ROW else ""
        raise BadBody(f"the body is not a {kind} message{hint}") from None
    raise UnsupportedMediaType(
        f"messageType is {kind[:80]!r}, /proto reads {ROW} and {DATA_FRAME}",
        expected=[ROW, DATA_FRAME],
        got=kind[:80],
    )


def read_at_once(body: bytes, content_type: str, max_rows: int) -> RowsDocument | None:
    """The same, if it takes little time; None: it may take more, or something is wrong with it."""
    if len(body) > MOST_ARRAY_BYTES:
        return None
    kind = _kind(content_type)
    try:
        if kind == DATA_FRAME:
            found = rows_alike(body, max_rows)
            return None if found is None else _alike(*found)
        return _alone(body) if kind == ROW and has_packed_numbers(body) else None
    except (DecodeError, BadBody):
        return None


def _kind(content_type: str) -> str:
    announced = _MESSAGE_TYPE.search(content_type)
    return announced[1].strip() if announced else ROW


def _alike(first: Row, numbers: Array) -> RowsDocument:
    return RowsDocument((first,), False, numbers, model=first.model or None)


def _alone(body: bytes) -> RowsDocument:
    row = Row.FromString(body)
    return RowsDocument((row,), model=row.model or None)


def _rows_of(body: bytes) -> list[Row]:
    if len(body) <= _MOST_AT_ONCE_BYTES:
        return list(DataFrame.FromString(body).row)
    return [Row.FromString(row) for row in rows_in(body)]


def _model(rows: list[Row]) -> str | None:
    """The model that the rows name, if any does."""
    model, first = None, 0
    for index, row in enumerate(rows):
        named = row.model
        if named and named != model:
            if model is not None:
                raise _two_models(first, model, index, named)
            model, first = named, index
    return model


def _two_models(first: int, model: str, index: int, named: str) -> DoesNotFit:
    model, named = model[:140], named[:140]
    return DoesNotFit(
        f"row[{index}].model is {named!r}, row[{first}].model is {model!r}; "
        "a DataFrame goes to one model",
        field=f"row[{index}].model",
        expected=model,
        got=named,
    )
