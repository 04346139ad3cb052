"""The bodies of predict requests: the same rows in each codec, and pictures."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path

import msgspec
from tfaas_backends import demo
from tfaas_plugins.tfaas_pb2 import DataFrame, Row

from benchmarks.network import ROWS
from tfaas_core.tensors import Array

_BOUNDARY = "benchmark"
_PICTURES = Path(demo.__file__).parent / "pictures"


class Body(msgspec.Struct, frozen=True):
    """A request to ``path``; ``rows`` is how many predictions it asks for."""

    path: str
    media_type: str
    content: bytes
    rows: int


def as_json(model: str, count: int) -> Body:
    """The first ``count`` of ROWS; a single one is sent as a row, not as a batch."""
    content = msgspec.json.encode({"values": _rows(count).tolist(), "model": model})
    return Body("/json", "application/json", content, count)


def as_msgpack(model: str, count: int) -> Body:
    """The same document with lists of floats of 64 bits."""
    content = msgspec.msgpack.encode({"values": _rows(count).tolist(), "model": model})
    return Body("/msgpack", "application/msgpack", content, count)


def as_packed_msgpack(model: str, count: int) -> Body:
    """The same document with one packed array of float32."""
    array = _rows(count).astype("<f4")
    packed = {"dtype": "<f4", "shape": array.shape, "data": array.tobytes()}
    content = msgspec.msgpack.encode({"values": packed, "model": model})
    return Body("/msgpack", "application/msgpack", content, count)


def as_protobuf(model: str, count: int) -> Body:
    """A Row, or a DataFrame of several."""
    rows = [Row(value=row, model=model) for row in ROWS[:count].tolist()]
    if count == 1:
        return Body("/proto", "application/x-protobuf", rows[0].SerializeToString(), 1)
    media_type = "application/x-protobuf; messageType=tfaaspb.DataFrame"
    return Body("/proto", media_type, DataFrame(row=rows).SerializeToString(), count)


def as_images(model: str, count: int) -> Body:
    """A form with ``count`` PNGs of the demo model's pictures, over and over."""
    files = sorted(_PICTURES.glob("*.png"))
    parts = [_part('name="model"', model.encode())]
    for file in islice(cycle(files), count):
        parts.append(_part(f'name="image"; filename="{file.name}"', file.read_bytes()))
    content = b"".join([*parts, f"--{_BOUNDARY}--\r\n".encode()])
    return Body("/image", f"multipart/form-data; boundary={_BOUNDARY}", content, count)


def _rows(count: int) -> Array:
    rows: Array = ROWS[0] if count == 1 else ROWS[:count]
    return rows


def _part(disposition: str, content: bytes) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode() + content + b"\r\n"
