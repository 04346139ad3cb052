"""The parts of TensorFlow that are not its public interface, and may move with a new version.

All of ``runtimes`` has them from here, and so never before TensorFlow's settings are made.
``tests/backends/runtimes/tensorflow/test_private.py`` fails if one has moved, and says which; then
the bound of ``tensorflow`` in ``pyproject.toml`` has to follow.
"""

from __future__ import annotations

from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf  # noqa: F401 - before all others

# isort: split
from tensorflow.compiler.tf2xla.python import xla
from tensorflow.core.framework import dataset_options_pb2, tensor_pb2
from tensorflow.core.protobuf import (
    config_pb2,
    meta_graph_pb2,
    saved_model_pb2,
    trackable_object_graph_pb2,
)
from tensorflow.python.framework import dtypes, kernels, op_def_registry, tensor_util
from tensorflow.python.util import pywrap_xla_ops

__all__ = [
    "callable_of",
    "config_pb2",
    "dataset_options_pb2",
    "dtypes",
    "kernels",
    "meta_graph_pb2",
    "op_def_registry",
    "pywrap_xla_ops",
    "saved_model_pb2",
    "tensor_pb2",
    "tensor_util",
    "trackable_object_graph_pb2",
    "xla",
]


def callable_of(session: Any, options: Any) -> Any:
    """A function that runs what the CallableOptions ``options`` say, and is quicker than ``run``.

    What goes wrong it raises as it is, if ``Session.run`` would hide it in a traceback of the
    code that made the graph.
    """
    return session._make_callable_from_options(options)
