"""A SavedModel with a signature for everything that protocols do, in a bundle to upload."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import httpx

from tfaas_core.testing.server import RunningServer

NAME = "many"


def many_signatures(folder: Path) -> bytes:
    """Packs it; ``folder`` is for scratch."""
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    from tests.backends.runtimes.saved_model.saved_models import function, save

    rows = tf.TensorSpec([None, 2], tf.float32)
    texts = tf.TensorSpec([None], tf.string)

    def parsed(inputs: Any) -> Any:
        features = {"x": tf.io.FixedLenFeature([], tf.float32)}
        return tf.io.parse_example(inputs, features)["x"]

    signatures = {
        "serving_default": function(lambda x: {"y": x * 2.0}, x=rows),
        "total": function(lambda x: {"sum": tf.reduce_sum(x)}, x=rows),
        "pair": function(lambda a, b: {"sum": a + b, "twice": b * 2}, a=tf.float32, b=tf.float32),
        "exact": function(lambda x: {"y": x}, x=tf.int64),
        "truth": function(lambda x: {"y": x}, x=tf.bool),
        "half": function(lambda x: {"y": x}, x=tf.float16),
        "brain": function(lambda x: {"y": x}, x=tf.bfloat16),
        "inverse": function(lambda x: {"y": 1.0 / x}, x=tf.float32),
        "text": function(lambda x: {"y": x, "y_bytes": x}, x=texts),
        "regress": function(lambda inputs: {"outputs": parsed(inputs) * 2.0}, inputs=texts),
        "classify": function(
            lambda inputs: {"scores": tf.stack([parsed(inputs), 1.0 - parsed(inputs)], 1)},
            inputs=texts,
        ),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(save(folder / "model", signatures), NAME)
    return packed.getvalue()


def upload_bundle(server: RunningServer, bundle: bytes, **query: Any) -> httpx.Response:
    """``POST /upload`` of a bundle."""
    headers = {"Content-Type": "application/gzip"}
    return server.http.post("/upload", params=query, content=bundle, headers=headers)
