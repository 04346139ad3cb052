"""The graph of an ONNX model, read without running it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from tfaas_core.errors import BadBody

_RANDOM = frozenset(
    (
        *("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike"),
        *("RandomUniform", "RandomUniformLike"),
    )
)


def read_model(file: Path) -> onnx.ModelProto:
    """The model in ``file``, without weights that lie beside it; raises BadBody."""
    try:
        model = onnx.load(str(file), load_external_data=False)
    except DecodeError as error:
        raise BadBody(f"the model file is no ONNX model: {error}") from None
    if not model.graph.output:
        raise BadBody("the model file is no ONNX model: it has no graph with outputs")
    return model


def count_ops(model: onnx.ModelProto) -> dict[str, int]:
    """How often each type of op occurs, in the graphs within the graph, too."""
    return dict(Counter(node.op_type for node in _nodes(model.graph)))


def is_random(model: onnx.ModelProto) -> bool:
    """Whether a run of it draws random numbers."""
    functions = [node for function in model.functions for node in function.node]
    return any(node.op_type in _RANDOM for node in [*functions, *_nodes(model.graph)])


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)
