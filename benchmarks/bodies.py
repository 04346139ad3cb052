"""The bodies of predict requests: the same rows in each codec, and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path

import msgspec
import numpy as np
from tfaas_backends import demo
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import DataFrame, Row

from benchmarks.network import FEATURES, ROWS
from tfaas_core.tensors import Array

_BOUNDARY = "benchmark"
_PICTURES = Path(demo.__file__).parent / "pictures"


class Body(msgspec.Struct, frozen=True):
    """A request to ``path``; ``rows`` is how many predictions it asks for."""

    path: str
    media_type: str
    content: bytes
    rows: int
    more_headers: Mapping[str, str] = {}

    @property
    def headers(self) -> dict[str, str]:
        """All that the request needs."""
        return {"Content-Type": self.media_type, **self.more_headers}


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


def as_packed_of(model: str, array: Array) -> Body:
    """A packed array of float32, a row or several, to the model that the path names."""
    packed = {"dtype": "<f4", "shape": array.shape, "data": array.astype("<f4").tobytes()}
    content = msgspec.msgpack.encode({"values": packed})
    return Body(f"/models/{model}/predict/msgpack", "application/msgpack", content, 1)


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
    return as_form(model, [file.read_bytes() for file in islice(cycle(files), count)])


def as_form(model: str, pictures: Sequence[bytes]) -> Body:
    """A form with these pictures."""
    parts = [_part('name="model"', model.encode())]
    parts += [_part('name="image"; filename="picture"', picture) for picture in pictures]
    content = b"".join([*parts, f"--{_BOUNDARY}--\r\n".encode()])
    media_type = f"multipart/form-data; boundary={_BOUNDARY}"
    return Body("/image", media_type, content, len(pictures))


def as_instances(model: str, count: int) -> Body:
    """TensorFlow Serving's predict request, in row format."""
    content = msgspec.json.encode({"instances": ROWS[:count].tolist()})
    return Body(f"/v1/models/{model}:predict", "application/json", content, count)


def as_columns(model: str, count: int) -> Body:
    """The same in column format."""
    content = msgspec.json.encode({"inputs": ROWS[:count].tolist()})
    return Body(f"/v1/models/{model}:predict", "application/json", content, count)


def as_oip(model: str, name: str, count: int) -> Body:
    """An infer request of the Open Inference Protocol, by JSON; ``name`` is the input's."""
    tensor = {"name": name, "datatype": "FP32", "shape": [count, FEATURES]}
    data = ROWS[:count].ravel().tolist()
    content = msgspec.json.encode({"inputs": [tensor | {"data": data}]})
    return Body(f"/v2/models/{model}/infer", "application/json", content, count)


def as_binary_oip(model: str, name: str, array: Array) -> Body:
    """The same with a binary tensor, float32 or uint8, and binary outputs."""
    datatype = {"float32": "FP32", "uint8": "UINT8"}[array.dtype.name]
    size = {"binary_data_size": array.nbytes}
    tensor = {"name": name, "datatype": datatype, "shape": array.shape, "parameters": size}
    asked = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    head = msgspec.json.encode(asked)
    header = {"Inference-Header-Content-Length": str(len(head))}
    content = head + array.astype(array.dtype.newbyteorder("<")).tobytes()
    path = f"/v2/models/{model}/infer"
    return Body(path, "application/octet-stream", content, len(array), header)


def float_rows(count: int) -> Array:
    """float32 [count, 42]: the first of ROWS."""
    return ROWS[:count].astype(np.float32)


def _rows(count: int) -> Array:
    rows: Array = ROWS[0] if count == 1 else ROWS[:count]
    return rows


def _part(disposition: str, content: bytes) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode() + content + b"\r\n"
