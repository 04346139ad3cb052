"""Vets a GraphDef: all of its nodes and functions, called or not, before TensorFlow imports it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tfaas_backends.runtimes.tensorflow.private import op_def_registry
from tfaas_backends.runtimes.vetting.calls import callees_first
from tfaas_backends.runtimes.vetting.constants import Constants
from tfaas_backends.runtimes.vetting.file_ops import FILE_OPS, Body, Call, FileUses, Sources
from tfaas_backends.runtimes.vetting.ops import WATCHED, Ops, refused
from tfaas_backends.runtimes.vetting.place import Place
from tfaas_backends.runtimes.vetting.sizes import SIZED, check_sizes

MAX_NODES = 1_000_000
MAX_FUNCTIONS = 50_000
MAX_ATTRIBUTE_DEPTH = 8

_PLAIN = {"s", "i", "f", "b", "type", "shape", None}


def vet_graph(
    graph_def: Any, also: Collection[str], file_bytes: int, sources: Sources | None = None
) -> FileUses:
    """Raises CannotServe if the graph holds what a model must not.

    ``also``: ops that the server's operator allows beside those of the list. ``file_bytes``: the
    size of the file that holds the graph. ``sources``: which of its nodes name the model's own
    files; gives how it uses them.
    """
    return _GraphVetting(graph_def, also, file_bytes).all(sources or Sources())


class _GraphVetting:
    def __init__(self, graph_def: Any, also: Collection[str], file_bytes: int) -> None:
        self._library = graph_def.library
        functions = graph_def.library.function
        _check_count("functions", len(functions), MAX_FUNCTIONS)
        nodes = len(graph_def.node) + sum(len(function.node_def) for function in functions)
        _check_count("nodes", nodes, MAX_NODES)
        self._graph = Body(_by_name(graph_def.node, ""))
        self._functions = _functions(functions)
        self._ops = Ops(also, self._functions)
        self._constants = Constants(file_bytes)
        self._found: dict[str, list[Any]] = defaultdict(list)
        self._sized: dict[str, list[Any]] = defaultdict(list)
        self._called: dict[str, list[Call]] = defaultdict(list)
        self._referred: list[tuple[str, Place]] = []

    def all(self, sources: Sources) -> FileUses:
        bodies = {"": self._graph, **self._functions}
        own_nodes = {name: len(body.nodes) for name, body in bodies.items()}
        for body in bodies.values():
            self._body(body)
        for name, body in self._functions.items():
            self._function(name, body.function)
        self._gradients()
        calls = {name: [c.callee for c in self._called[name]] for name in bodies}
        ordered = [bodies[name] for name in callees_first(calls, own_nodes)]
        check_sizes(bodies, self._sized, self._run(calls))
        uses = FileUses([*ordered, self._graph], self._found, self._called, sources)
        self._check_references(uses)
        return uses

    def _run(self, calls: Mapping[str, Sequence[str]]) -> set[str]:
        """The graph, and the functions that may run with it; ``calls``: what each of them names."""
        elsewhere = [name for name, body in self._functions.items() if body.runs_elsewhere]
        left, found = ["", *elsewhere, *(name for name, _ in self._referred)], set[str]()
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += calls[name]
        return found

    def _body(self, body: Body) -> None:
        allowed = self._ops.allowed
        for node in body.nodes.values():
            op = node.op
            if op in SIZED or op in self._functions:
                self._sized[body.name].append(node)
            if op not in allowed:
                self._other_op(node, body)
            elif op in WATCHED:
                self._ops.check(op, node.attr, Place(node.name, body.name))
            for name, value in node.attr.items():
                if value.WhichOneof("value") not in _PLAIN:
                    self._attribute(node, op, name, value, Place(node.name, body.name))

    def _other_op(self, node: Any, body: Body) -> None:
        if node.op in self._functions:
            self._called[body.name].append(Call(node, node.op, ()))
        elif node.op in FILE_OPS:
            self._found[body.name].append(node)
        else:
            raise refused(node.op, Place(node.name, body.name))

    def _attribute(self, node: Any, op: str, name: str, value: Any, place: Place) -> None:
        """Checks a value of an attribute of ``op``; ``node``: where functions are called, or None.

        ``place``: that which has the attribute.
        """
        kind = value.WhichOneof("value")
        if kind == "func":
            self._named(node, value.func, place.within(name))
        elif kind == "placeholder":
            self._ops.check_placeholder(op, name, place)
        elif kind == "tensor":
            self._constants.add(value.tensor, place)
        elif kind == "list":
            for function in value.list.func:
                self._named(node, function, place.within(name))
            for tensor in value.list.tensor:
                self._constants.add(tensor, place)

    def _named(self, node: Any, function: Any, place: Place) -> None:
        """Checks what an attribute names: one of the functions, or an op in the place of one."""
        if len(place.attributes) > MAX_ATTRIBUTE_DEPTH:
            raise place.refusal(f"is nested more than {MAX_ATTRIBUTE_DEPTH} deep")
        name = function.name
        if name in self._functions:
            if node is None:
                self._referred.append((name, place))
            else:
                self._called[place.function].append(Call(node, name, place.attributes))
        elif name:
            self._ops.check(name, function.attr, place)
        for attribute, value in function.attr.items():
            self._attribute(node, name, attribute, value, place)

    def _function(self, name: str, function: Any) -> None:
        """Checks what a function names outside of its nodes."""
        place = Place(function=name)
        for attribute in function.signature.attr:
            for value in (attribute.default_value, attribute.allowed_values):
                self._attribute(None, name, attribute.name, value, place)
        self._values(name, function.attr, place)
        for argument in function.arg_attr.values():
            self._values(name, argument.attr, place)

    def _values(self, op: str, attributes: Mapping[str, Any], place: Place) -> None:
        for name, value in attributes.items():
            self._attribute(None, op, name, value, place)

    def _gradients(self) -> None:
        """Checks which functions compute gradients, of functions or of ops."""
        named = [(g.function_name, g.function_name) for g in self._library.gradient]
        named += [(g.function_name, g.gradient_func) for g in self._library.gradient]
        # Whose gradient it is, is a word that only Python knows.
        named += [
            (g.registered_op_type, g.gradient_func) for g in self._library.registered_gradients
        ]
        for whose, name in named:
            place = Place(function=whose).within("gradient")
            if name in self._functions:
                self._referred.append((name, place))
            else:
                self._ops.check(name, {}, place)

    def _check_references(self, uses: FileUses) -> None:
        """Raises CannotServe if what reaches for files is named where no file can be told."""
        for name, place in self._referred:
            found = uses.of_function(name)
            if found is not None:
                raise refused(found[0], place)


def _by_name(nodes: Iterable[Any], function: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in nodes:
        if node.name in found:
            raise Place(node.name, function).refusal("is not unique")
        found[node.name] = node
    return found


def _functions(functions: Iterable[Any]) -> dict[str, Body]:
    found: dict[str, Body] = {}
    for function in functions:
        name = function.signature.name
        place = Place(function=name)
        if name in found:
            raise place.refusal("is not unique")
        if not name or op_def_registry.get(name) is not None:
            raise place.refusal("has the name of an op of TensorFlow, or none")
        found[name] = Body(_by_name(function.node_def, name), function)
    return found


def _check_count(what: str, count: int, most: int) -> None:
    if count > most:
        raise Place().refusal(f"has {count} {what}: more than {most}")
