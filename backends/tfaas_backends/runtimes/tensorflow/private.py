"""The parts of TensorFlow that are not its public interface, and may move with a new version.

All of ``runtimes`` imports them from here, and so never before TensorFlow's settings are made.
"""

from __future__ import annotations

from tfaas_backends.runtimes.tensorflow.quiet import tf  # noqa: F401 - before all others

# isort: split
from tensorflow.compiler.tf2xla.python import xla
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import (
    config_pb2,
    meta_graph_pb2,
    saved_model_pb2,
    trackable_object_graph_pb2,
)
from tensorflow.python.framework import dtypes, kernels, op_def_registry, tensor_util

__all__ = [
    "config_pb2",
    "dtypes",
    "kernels",
    "meta_graph_pb2",
    "op_def_registry",
    "saved_model_pb2",
    "tensor_pb2",
    "tensor_util",
    "trackable_object_graph_pb2",
    "xla",
]
