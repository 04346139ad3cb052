"""What the tests have in common: tables, and what the codec makes of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import ipc, parquet
from tfaas_codec_arrow.codec import ARROW_STREAM, ArrowCodec

from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, Bound, TensorSpec
from tfaas_core.testing.models import model_version

LIMIT = 1_000_000
VERSION = model_version()  # float32 [?, 2] to float32 [?, 1]
NAMED = model_version(params={"features": ["pt", "eta"]})
NAN = model_version(params={"nan": "accept"})
TWO_INPUTS = model_version(
    [TensorSpec("image", "float32", (None, 2, 2)), TensorSpec("word", "string", (None,))]
)


def stream(table: pa.Table, rows: int | None = None, **options: Any) -> bytes:
    body = io.BytesIO()
    with ipc.new_stream(body, table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return body.getvalue()


def file(table: pa.Table, **options: Any) -> bytes:
    body = io.BytesIO()
    parquet.write_table(table, body, **options)
    return body.getvalue()


def rows(*values: list[float]) -> Array:
    return np.array(values, np.float32)


def lists(array: Array) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), array.shape[1])


def bound(array: Array) -> Bound:
    return Bound({"x": array}, rows=len(array), single=len(array) == 1)


def answer(*values: float) -> bytes:
    return stream(pa.table({"y": pa.array(values, pa.float32())}))


def read(body: bytes, version: ModelVersion = VERSION, limit: int = LIMIT) -> Bound:
    codec = ArrowCodec(limit)
    return codec.bind(codec.parse(body, Head.of_type(ARROW_STREAM)), version)


def written(outputs: dict[str, Array], version: ModelVersion) -> pa.Table:
    encoded = ArrowCodec(LIMIT).encode_other(outputs, bound(rows([1, 2])), version)
    return ipc.open_stream(encoded.whole()).read_all()
