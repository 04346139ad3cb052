"""A GraphDef and its functions, read into light structures as far as the outputs need them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from tfaas_backends.runtimes.independence.definitions import is_pure, outputs_of
from tfaas_backends.runtimes.independence.node import Edge, Node, attributes_of

_FED = -1
_BACK = "NextIteration"
_MERGE = "Merge"
_EXIT = "Exit"


class Body(msgspec.Struct, gc=False):
    """The graph itself, or a function's, in an order in which most inputs come first.

    ``users``: by a node's place, the places of those that take its outputs or wait for it.
    """

    name: str
    nodes: list[Node]
    results: list[Edge]
    users: list[list[int]]


class Program:
    """Keeps nothing of the GraphDef itself.

    ``inputs`` are the tensors that are fed, ``outputs`` those that are wanted: "node:0". A
    function is known by ``body(name)``.
    """

    def __init__(self, graph_def: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        functions = {f.signature.name: f for f in graph_def.library.function}
        self.main = _Reader("", graph_def.node, functions, inputs).body(outputs, [])
        self._bodies: dict[str, Body] = {}
        wanted = list(_called(self.main)) if functions else []
        while wanted:
            name = wanted.pop()
            if name in functions and name not in self._bodies:
                self._bodies[name] = _function(name, functions[name], functions)
                wanted += _called(self._bodies[name])

    def body(self, name: str) -> Body | None:
        return self._bodies.get(name)


def _called(body: Body) -> Iterator[str]:
    """The names of functions that the body's nodes may call, and other texts."""
    for node in body.nodes:
        for value in node.attributes.values():
            if isinstance(value, str):
                yield value
            elif isinstance(value, tuple):
                yield from (part for part in value if isinstance(part, str))


def _function(name: str, function: Any, functions: Mapping[str, Any]) -> Body:
    arguments = [argument.name for argument in function.signature.input_arg]
    results = [function.ret[argument.name] for argument in function.signature.output_arg]
    effects = [node.name for node in function.node_def if not is_pure(node.op)]
    effects += function.control_ret.values()
    return _Reader(name, function.node_def, functions, arguments).body(results, effects)


class _Reader:
    def __init__(
        self, name: str, nodes: Any, functions: Mapping[str, Any], fed: Sequence[str]
    ) -> None:
        self._name = name
        self._functions = functions
        self._nodes = {node.name: node for node in nodes}
        self._fed = {_full(tensor): place for place, tensor in enumerate(fed)}
        self._places: dict[str, int] = {}

    def body(self, results: Sequence[str], effects: Sequence[str]) -> Body:
        wanted = [self._split(tensor)[0] for tensor in results if _full(tensor) not in self._fed]
        for name in self._ordered([*wanted, *effects]):
            self._places[name] = len(self._places)
        nodes = [self._node(name) for name in self._places]
        body = Body(self._name, nodes, [self._edge(t) for t in results], [[] for _ in nodes])
        self._connect(body)
        return body

    def _node(self, name: str) -> Node:
        proto = self._nodes[name]
        inputs = []
        controls = []
        for reference in proto.input:
            if reference[0] == "^":
                controls.append(self._places.get(reference[1:]))
            else:
                inputs.append(self._edge(reference))
        op = "PartitionedCall" if proto.op in self._functions else proto.op
        attributes = attributes_of(proto)
        if proto.op in self._functions:
            attributes["f"] = proto.op
        waits = tuple(place for place in controls if place is not None)
        return Node(name, op, tuple(inputs), waits, attributes)

    def _connect(self, body: Body) -> None:
        for place, node in enumerate(body.nodes):
            for edge in node.inputs:
                if edge.node != _FED:
                    body.users[edge.node].append(place)
                    _use(body.nodes[edge.node], edge.port)
            for control in node.controls:
                body.users[control].append(place)
        for edge in body.results:
            if edge.node != _FED:
                _use(body.nodes[edge.node], edge.port)

    def _edge(self, tensor: str) -> Edge:
        fed = self._fed.get(_full(tensor))
        if fed is not None:
            return Edge(_FED, fed)
        name, port = self._split(tensor)
        return Edge(self._places[name], port)

    def _split(self, tensor: str) -> tuple[str, int]:
        """The node and the number of its output: "node:1", or a function's "node:name:1"."""
        name, *rest = tensor.split(":")
        if len(rest) < 2:
            return name, int(rest[0]) if rest else 0
        node = self._nodes[name]
        return name, _offset(node, rest[0], self._functions) + int(rest[1])

    def _ordered(self, roots: Sequence[str]) -> Iterator[str]:
        """Depth first. A loop comes before what takes its results, and once around at first."""
        seen: set[str] = set()
        later: list[str] = []
        stack: list[tuple[str, bool]] = [(name, False) for name in reversed(roots)]
        while stack or later:
            name, inputs_are_done = stack.pop() if stack else (later.pop(), False)
            if inputs_are_done:
                if self._nodes[name].op == _EXIT and later:
                    stack.append((name, True))
                    stack += [(later.pop(), False) for _ in range(len(later))]
                else:
                    yield name
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack += [(other, False) for other in self._before(name, later)]

    def _before(self, name: str, later: list[str]) -> Iterator[str]:
        node = self._nodes[name]
        for reference in node.input:
            if reference.startswith("^"):
                other = reference[1:]
                if f"{other}:0" in self._fed:
                    continue
            elif _full(reference) in self._fed:
                continue
            else:
                other = reference.partition(":")[0]
            if node.op == _MERGE and self._nodes[other].op == _BACK:
                later.append(other)
            else:
                yield other


def _full(tensor: str) -> str:
    return tensor if ":" in tensor else f"{tensor}:0"


def _use(node: Node, port: int) -> None:
    node.ports = max(node.ports, port + 1)


def _offset(node: Any, output: str, functions: Mapping[str, Any]) -> int:
    """How many tensors a node gives before those of its output of this name."""
    called = functions.get(node.op)
    outputs = outputs_of(node.op)
    if called is not None:
        outputs = tuple((a.name, "", "") for a in called.signature.output_arg)
    offset = 0
    for name, number, types in outputs:
        if name == output:
            return offset
        offset += node.attr[number].i if number else 1
        offset += len(node.attr[types].list.type) - 1 if types else 0
    raise KeyError(output)
