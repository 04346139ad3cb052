"""Which placeholders of a GraphDef its outputs really need: not those that functions ignore."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tfaas_backends.runtimes.tensorflow.pruning import node_of

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def needed_nodes(graph_def: Any, outputs: Iterable[str], fed: Iterable[str]) -> set[str]:
    """The nodes that ``outputs`` depend on when ``fed`` are given: names of tensors, with ``:0``.

    Where a function is called, only what the outputs taken from it depend on counts, and what it
    runs for its effect.
    """
    functions = {f.signature.name: _Function(f) for f in graph_def.library.function}
    walk = _Walk(graph_def.node, functions, set(fed))
    walk.follow(f"{name}:0" if ":" not in name else name for name in outputs)
    return walk.seen


class _Walk:
    """Follows references backwards within a graph, or within the body of a function.

    ``seen`` are the nodes, and the arguments of the function, that were reached.
    """

    def __init__(self, nodes: Iterable[Any], functions: dict[str, _Function], fed: set[str]):
        self._nodes = {node.name: node for node in nodes}
        self._functions = functions
        self._fed = fed
        self._followed: set[str] = set()
        self.seen: set[str] = set()

    def follow(self, references: Iterable[str]) -> None:
        stack = list(references)
        while stack:
            reference = stack.pop()
            if reference in self._followed:
                continue
            self._followed.add(reference)
            self.seen.add(node_of(reference))
            node = self._nodes.get(node_of(reference))
            if node is not None and reference not in self._fed:
                stack += map(self._full, self._taken(node, reference))

    def _full(self, reference: str) -> str:
        return reference if ":" in reference or reference[0] == "^" else f"{reference}:0"

    def _taken(self, node: Any, reference: str) -> Iterator[str]:
        """The references that a node needs for what ``reference`` takes from it."""
        function = self._functions.get(node.attr["f"].func.name) if node.op in _CALLS else None
        inputs = [name for name in node.input if not name.startswith("^")]
        yield from (name for name in node.input if name.startswith("^"))
        if function is None:
            yield from inputs
        else:
            number = reference.rpartition(":")[2]
            index = int(number) if number.isdecimal() else None
            taken = function.arguments(index, self._functions)
            yield from (inputs[i] for i in sorted(taken) if i < len(inputs))


class _Function:
    def __init__(self, function: Any) -> None:
        self._function = function
        self._known: dict[int | None, set[int]] = {}

    def arguments(self, output: int | None, functions: dict[str, _Function]) -> set[int]:
        """The numbers of the arguments that an output needs; None: those that any needs."""
        names = [argument.name for argument in self._function.signature.input_arg]
        if output not in self._known:
            self._known[output] = set(range(len(names)))  # what a function that calls itself needs
            walk = _Walk(self._function.node_def, functions, set())
            walk.follow(self._roots(output))
            self._known[output] = {i for i, name in enumerate(names) if name in walk.seen}
        return self._known[output]

    def _roots(self, output: int | None) -> list[str]:
        returned = [self._function.ret[o.name] for o in self._function.signature.output_arg]
        roots = returned if output is None else returned[output : output + 1]
        return [*roots, *(f"^{name}" for name in self._function.control_ret.values())]
