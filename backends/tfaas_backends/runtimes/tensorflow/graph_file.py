"""A frozen graph's file: read, told from what it is not, and made ready for importing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import chain
from pathlib import Path
from typing import Any

from tfaas_backends.runtimes.tensorflow.private import meta_graph_pb2, saved_model_pb2
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.vetting.wire import check_parts
from tfaas_core.errors import BadBody, CannotServe, StorageUnavailable, TfaasError
from tfaas_core.files.archives import GZIP, ZIP

_MAGICS = {
    (0, b"\x89HDF\r\n\x1a\n"): "a Keras model in HDF5 format",
    (ZIP.at, ZIP.magic): "a zip archive, as Keras saves models",
    (GZIP.at, GZIP.magic): "compressed with gzip",
    (4, b"TFL3"): "a TensorFlow Lite model",
    (0, b"node {"): "a graph in text format (.pbtxt)",
    (0, b"node{"): "a graph in text format (.pbtxt)",
}
_LEARNING_PHASE = "keras_learning_phase"


def read_graph(path: Path) -> Any:
    """The GraphDef that the file holds, of one node at least.

    Raises BadBody if it holds none, CannotServe if it is a part of a SavedModel, or too large.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageUnavailable(f"the model file cannot be read: {error.strerror}") from None
    if not content:
        raise BadBody("the model file is empty", field="model")
    check_parts(content, tf.compat.v1.GraphDef, "the model file")
    graph_def = _parsed(tf.compat.v1.GraphDef, content)
    if graph_def is None or not graph_def.node:
        raise _not_a_graph(content)
    return graph_def


def prepare(graph_def: Any, fed: Collection[str]) -> None:
    """Changes ``graph_def`` in place to serve predictions on this machine.

    A Keras learning phase becomes the constant False, unless ``fed``, names of nodes, has it: no
    prediction is a training step. Devices of the machine that wrote the graph are forgotten.
    """
    for node in graph_def.node:
        node.device = ""
        if node.name not in fed and _is_mandatory_learning_phase(node):
            _make_false(node)
    for function in graph_def.library.function:
        for node in function.node_def:
            node.device = ""


def count_ops(graph_def: Any) -> dict[str, int]:
    """How often each type of op occurs in a GraphDef and its functions; a call is no type."""
    functions = {
        function.signature.name: function.node_def for function in graph_def.library.function
    }
    nodes = chain(graph_def.node, *functions.values())
    return dict(Counter(node.op for node in nodes if node.op not in functions))


def is_learning_phase(name: str) -> bool:
    """Whether a node of this name tells a Keras model if it is being trained."""
    return name.rpartition("/")[2] == _LEARNING_PHASE


def _is_mandatory_learning_phase(node: Any) -> bool:
    return (
        is_learning_phase(node.name)
        and node.op in ("Placeholder", "PlaceholderV2")
        and bool(node.attr["dtype"].type == tf.bool.as_datatype_enum)
    )


def _make_false(node: Any) -> None:
    node.op = "Const"
    node.attr.pop("shape", None)
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(False))


def _parsed(message: Any, content: bytes) -> Any:
    try:
        return message.FromString(content)
    except Exception:  # the parser's own DecodeError, and what it raises on absurd lengths
        return None


def _has_ops(meta_graph: Any) -> bool:
    """Whether it is one: a library of functions can be read as if it were."""
    return any(node.op for node in meta_graph.graph_def.node)


def _not_a_graph(content: bytes) -> TfaasError:
    saved_model = _parsed(saved_model_pb2.SavedModel, content)
    if saved_model is not None and any(_has_ops(each) for each in saved_model.meta_graphs):
        return CannotServe(
            "this is the saved_model.pb of a SavedModel, useless without its variables: upload"
            " the whole folder as a tarball",
            field="model",
        )
    meta_graph = _parsed(meta_graph_pb2.MetaGraphDef, content)
    if meta_graph is not None and _has_ops(meta_graph):
        return CannotServe(
            "this is the .meta file of a checkpoint, without its variables: freeze the graph first",
            field="model",
        )
    for (start, magic), kind in _MAGICS.items():
        if content.startswith(magic, start):
            return BadBody(f"the model file is {kind}, not a frozen graph", field="model")
    return BadBody(
        "the model file is not a frozen TensorFlow graph (GraphDef), or a damaged one",
        field="model",
    )
