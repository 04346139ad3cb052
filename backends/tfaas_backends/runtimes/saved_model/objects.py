"""Which variables of a SavedModel's graph are which objects in its checkpoint.

TensorFlow 2 hands its functions the variables that they use, and tells which Python objects these
were. The checkpoint tells under which key it holds the value of which object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from tfaas_backends.runtimes.saved_model.variables import Stored
from tfaas_backends.runtimes.tensorflow.private import trackable_object_graph_pb2
from tfaas_backends.runtimes.tensorflow.pruning import node_of
from tfaas_backends.runtimes.tensorflow.quiet import tf

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "VARIABLE_VALUE"


def has_objects(meta_graph: Any) -> bool:
    """Whether TensorFlow 2 saved it, so that tf.saved_model.load makes objects of it."""
    return len(meta_graph.object_graph_def.nodes) > 0


def object_variables(meta_graph: Any, prefix: str, wanted: Collection[str]) -> dict[str, Stored]:
    """Where the checkpoint ``prefix`` holds those of the ``wanted`` variables that are objects.

    Names are of nodes. Keras 3 needs this: it has a saver restore copies of its variables, which
    no signature uses. Raises what TensorFlow raises of a damaged checkpoint.
    """
    objects = meta_graph.object_graph_def
    keys = _keys(objects, prefix)
    found = {}
    for name, number in _captured(meta_graph):
        if name in wanted and number in keys:
            found[name] = Stored(keys[number], "", objects.nodes[number].variable.dtype)
    return found


def _captured(meta_graph: Any) -> Iterator[tuple[str, int]]:
    """The variables that the graph hands to its functions, with their objects' numbers."""
    functions = meta_graph.object_graph_def.concrete_functions
    for node in meta_graph.graph_def.node:
        function = node.attr["f"].func.name if node.op in _CALLS else ""
        if function in functions:
            numbers = functions[function].bound_inputs
            inputs = [reference for reference in node.input if not reference.startswith("^")]
            # What a function captures comes after its arguments.
            yield from zip(map(node_of, reversed(inputs)), reversed(numbers), strict=False)


def _keys(objects: Any, prefix: str) -> dict[int, str]:
    """The checkpoint's keys of the variables' values, under their objects' numbers."""
    stored = _stored_objects(prefix)
    return {
        ours: attribute.checkpoint_key
        for ours, theirs in _same_objects(objects, stored).items()
        if objects.nodes[ours].WhichOneof("kind") == "variable"
        for attribute in stored.nodes[theirs].attributes
        if attribute.name == _VALUE
    }


def _stored_objects(prefix: str) -> Any:
    reader = tf.compat.v1.train.NewCheckpointReader(prefix)
    stored = trackable_object_graph_pb2.TrackableObjectGraph()
    if reader.has_tensor(_OBJECT_GRAPH):
        stored.ParseFromString(reader.get_tensor(_OBJECT_GRAPH))
    return stored


def _same_objects(objects: Any, stored: Any) -> dict[int, int]:
    """The numbers in ``stored`` of objects that are reached by the same names from the root."""
    if not objects.nodes or not stored.nodes:
        return {}
    same = {0: 0}
    stack = [0]
    while stack:
        ours = stack.pop()
        theirs = {c.local_name: c.node_id for c in stored.nodes[same[ours]].children}
        for child in objects.nodes[ours].children:
            if child.local_name in theirs and child.node_id not in same:
                same[child.node_id] = theirs[child.local_name]
                stack.append(child.node_id)
    return same
