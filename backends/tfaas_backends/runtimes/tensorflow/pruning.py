"""Reading a GraphDef that is not imported yet: what refers to what, and the part that is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf


def node_of(reference: str) -> str:
    """The name of the node that an input refers to: ``name``, ``name:1`` or ``^name``."""
    return reference.removeprefix("^").partition(":")[0]


def called(node: Any) -> Iterator[str]:
    """The names of the functions that a node may call; some of the names may be no function's."""
    yield node.op
    for value in node.attr.values():
        # To ask for what it does not hold would make that, which takes longer.
        kind = value.WhichOneof("value")
        if kind == "func":
            yield value.func.name
        elif kind == "list":
            yield from (function.name for function in value.list.func)


def reachable(nodes: Mapping[str, Any], roots: Iterable[str]) -> list[Any]:
    """The nodes, of those by name, that a run for ``roots`` passes through; unknown names: none."""
    seen = set()
    stack = list(roots)
    while stack:
        name = stack.pop()
        if name not in seen and name in nodes:
            seen.add(name)
            stack += map(node_of, nodes[name].input)
    return [node for name, node in nodes.items() if name in seen]


def pruned(graph_def: Any, roots: Iterable[str]) -> Any:
    """A copy of what ``roots``, names of nodes, depend on, with the functions that it calls."""
    nodes = reachable({node.name: node for node in graph_def.node}, roots)
    copy = tf.compat.v1.GraphDef(versions=graph_def.versions)
    copy.node.extend(nodes)
    for node in copy.node:
        node.attr.pop("_class", None)  # asks to be placed beside nodes that may be left out
    copy.library.function.extend(_functions(graph_def, nodes))
    return copy


def _functions(graph_def: Any, nodes: Iterable[Any]) -> list[Any]:
    functions = {function.signature.name: function for function in graph_def.library.function}
    found: dict[str, Any] = {}
    stack = list(nodes)
    while stack:
        for name in called(stack.pop()):
            if name in functions and name not in found:
                found[name] = functions[name]
                stack += functions[name].node_def
    return list(found.values())
