"""What TensorFlow Serving and Triton serve, written as their users write it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import function, save


def save_half_plus(folder: Path, plus: float) -> Path:
    """``y = x / 2 + plus``; the signature ``triple``; and ``regress`` of an Example's ``x``."""
    rows = tf.TensorSpec([None, 2], tf.float32)

    def regress(inputs: Any) -> Any:
        parsed = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([], tf.float32)})
        return {"outputs": parsed["x"] / 2 + plus}

    signatures = {
        "serving_default": function(lambda x: {"y": x / 2 + plus}, x=rows),
        "triple": function(lambda x: {"y": x * 3}, x=rows),
        "regress": function(regress, inputs=tf.string),
    }
    return save(folder, signatures)


def write_graph(file: Path, factor: float) -> Path:
    """``a``, of no known shape, times ``factor``; and ``unused``, another end of the graph."""
    with tf.Graph().as_default() as graph:
        a = tf.compat.v1.placeholder(tf.float32, [None, 2], "a")
        tf.multiply(a, factor, name="product")
        tf.identity(a, name="unused")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(graph.as_graph_def().SerializeToString())
    return file


def put(made: Path, version: Path) -> Path:
    """Copies a SavedModel to where a version lies."""
    shutil.copytree(made, version)
    return version


def logged(version: Path, records: Iterable[bytes]) -> Path:
    """Writes the requests that warm up the SavedModel in ``version``."""
    file = version / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records:
            writer.write(record)
    return file


def predict_log(inputs: Mapping[str, Any], signature: str = "") -> bytes:
    """A PredictionLog of a PredictRequest; ``inputs`` are TensorProtos, or what makes them."""
    request = _spec(signature)
    for name, value in inputs.items():
        tensor = value if hasattr(value, "tensor_shape") else tf.make_tensor_proto(value)
        entry = _field(1, name.encode()) + _field(2, tensor.SerializeToString())
        request += _field(2, entry)
    return _field(6, _field(1, request))


def regress_log(
    values: Iterable[float], signature: str = "regress", context: bytes | None = None
) -> bytes:
    """A PredictionLog of a RegressionRequest whose Examples have these ``x``."""
    examples = b"".join(_field(1, example(x=value)) for value in values)
    listed = _field(1, examples)
    if context is not None:
        listed = _field(2, examples + _field(2, context))
    return _field(3, _field(1, _spec(signature) + _field(2, listed)))


def example(**floats: float) -> bytes:
    """A serialized Example."""
    features = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        for name, value in floats.items()
    }
    made = tf.train.Example(features=tf.train.Features(feature=features))
    return bytes(made.SerializeToString())


def _spec(signature: str) -> bytes:
    name = _field(1, b"half")
    return _field(1, name + _field(3, signature.encode()) if signature else name)


def _field(number: int, content: bytes) -> bytes:
    """A field of a message that has a length."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)
