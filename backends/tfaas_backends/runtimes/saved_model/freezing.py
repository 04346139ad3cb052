"""Variables of a SavedModel made constants: runs are faster, and nothing has to be restored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tfaas_backends.runtimes.saved_model.gathers import GATHERS, read_first
from tfaas_backends.runtimes.tensorflow.private import op_def_registry
from tfaas_backends.runtimes.tensorflow.pruning import called, node_of
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_core.tensors import Array

_READ, _RESOURCE = "ReadVariableOp", "VarHandleOp"

_CALLS = {
    "PartitionedCall": (0, ("f",)),
    "StatefulPartitionedCall": (0, ("f",)),
    "If": (1, ("then_branch", "else_branch")),
    "StatelessIf": (1, ("then_branch", "else_branch")),
    "While": (0, ("cond", "body")),
    "StatelessWhile": (0, ("cond", "body")),
}
"""Ops that hand their inputs, all but the first few, to the functions in these attributes."""

_ANY = ""
"""What may be any variable: what other ops give, or call a function with."""


class _Body:
    """The nodes of a graph, or those of ``function``."""

    def __init__(self, nodes: Any, function: Any = None) -> None:
        self.nodes = nodes
        self.function = function
        self._variables: dict[str, set[str]] = defaultdict(set)

    def variables(self, reference: str) -> set[str]:
        """The variables that a reference in this body may be; to be added to."""
        # In a function, arguments have no number, and a node's outputs have names.
        plain = self.function is None and ":" not in reference
        return self._variables[f"{reference}:0" if plain else reference]

    def output(self, call: Any, index: int) -> str:
        """The reference to an output of one of ``_CALLS``."""
        return f"{call.name}:{index}" if self.function is None else f"{call.name}:output:{index}"

    def passed(self) -> list[str]:
        """References to what it hands to functions that it calls, and to its caller."""
        inputs = [r for node in self.nodes if node.op in _CALLS for r in node.input]
        returned = () if self.function is None else self.function.ret.values()
        return [r for r in (*inputs, *returned) if not r.startswith("^")]

    def followed(self, variables: Collection[str]) -> set[str]:
        """The nodes and arguments of which it is known which of ``variables`` they give."""
        calls = {node.name for node in self.nodes if node.op in _CALLS}
        if self.function is None:
            return calls.union(variables)
        return calls.union(argument.name for argument in self.function.signature.input_arg)

    def names(self) -> set[str]:
        """Of its nodes, and of the function's arguments."""
        arguments = () if self.function is None else self.function.signature.input_arg
        return {each.name for each in (*self.nodes, *arguments)}

    def groups(self) -> list[set[str]]:
        """For each reference, the variables that it may be."""
        return list(self._variables.values())


class VariableUses:
    """How a GraphDef and its functions use ``variables``, names of its nodes.

    ``only_read`` are those that it does nothing with but read, by one of the ops ``reads`` if they
    are resources.
    """

    def __init__(
        self, graph_def: Any, variables: Collection[str], reads: Collection[str] = (_READ,)
    ) -> None:
        self._reads = reads
        self._graph = _Body(graph_def.node)
        self._functions = {
            f.signature.name: _Body(f.node_def, f) for f in graph_def.library.function
        }
        self._bodies = [self._graph, *self._functions.values()]
        self._variables = {node.name: node for node in graph_def.node if node.name in variables}
        for name in self._variables:
            self._graph.variables(name).add(name)
        self._add_unknown()
        self._spread()
        self.only_read = self._variables.keys() - self._ambiguous() - self._used_otherwise()

    def freeze(self, values: Mapping[str, Array]) -> None:
        """Changes the GraphDef: variables of ``only_read`` become constants of these values."""
        for body in self._bodies:
            frozen = _freeze(body, values)
            if body.function is not None:
                _rename_outputs(body.function, frozen)
        for name in values:
            if self._variables[name].op != _RESOURCE:
                _make_constant(self._variables[name], values[name])

    def gather_from_values(self) -> None:
        """Changes the GraphDef: what gathers from a variable of ``only_read`` reads it first."""
        for body in self._bodies:
            taken = body.names()
            for node in [node for node in body.nodes if node.op in GATHERS]:
                if node.input and body.variables(node.input[0]) & self.only_read:
                    read_first(node, body.nodes, taken, body.function is not None)

    def _add_unknown(self) -> None:
        """What is not followed may be any variable: what other ops give, and what they call
        functions with, the branches of a Case say."""
        for body in self._bodies:
            followed = body.followed(self._variables)
            for reference in body.passed():
                if node_of(reference) not in followed:
                    body.variables(reference).add(_ANY)
        if not self._functions:
            return
        for node in (node for body in self._bodies for node in body.nodes if node.op not in _CALLS):
            for callee in (self._functions.get(name) for name in called(node)):
                if callee is not None:
                    for argument in callee.function.signature.input_arg:
                        callee.variables(argument.name).add(_ANY)

    def _spread(self) -> None:
        """Follows variables into functions and out of them."""
        calls = [(body, n) for body in self._bodies for n in body.nodes if n.op in _CALLS]
        changed = True
        while changed:
            changed = False
            for body, call in calls:
                for source, target in self._passed(body, call):
                    changed |= not source <= target
                    target |= source

    def _passed(self, body: _Body, call: Any) -> Iterator[tuple[set[str], set[str]]]:
        """Pairs of what a call passes on, and of what it becomes."""
        first, attributes = _CALLS[call.op]
        inputs = [body.variables(r) for r in call.input if not r.startswith("^")]
        if call.op.endswith("While"):  # which may do no step at all
            for index, source in enumerate(inputs):
                yield source, body.variables(body.output(call, index))
        for callee in (self._functions.get(call.attr[name].func.name) for name in attributes):
            if callee is not None:
                signature, returned = callee.function.signature, callee.function.ret
                for argument, source in zip(signature.input_arg, inputs[first:], strict=False):
                    yield source, callee.variables(argument.name)
                for index, output in enumerate(signature.output_arg):
                    target = body.variables(body.output(call, index))
                    yield callee.variables(returned.get(output.name, "")), target

    def _ambiguous(self) -> set[str]:
        """Variables that share a reference: with those of another call of a function."""
        several = (names for body in self._bodies for names in body.groups() if len(names) > 1)
        return set().union(*several)

    def _used_otherwise(self) -> set[str]:
        """Variables that something other than reading is done with."""
        found: set[str] = set()
        for body in self._bodies:
            for node in body.nodes:
                names = set().union(*(body.variables(reference) for reference in node.input))
                names.discard(_ANY)
                if names and node.op not in _CALLS and not self._only_reads(node, names):
                    found |= names
        return found

    def _only_reads(self, node: Any, variables: set[str]) -> bool:
        if any(self._variables[name].op == _RESOURCE for name in variables):
            return node.op in self._reads
        op = op_def_registry.get(node.op)
        return op is not None and not any(argument.is_ref for argument in op.input_arg)


def gather_from_values(graph_def: Any, variables: Collection[str]) -> None:
    """As the method, of those of ``variables`` that the GraphDef only reads or gathers from."""
    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    if any(node.op in GATHERS for nodes in bodies for node in nodes):
        VariableUses(graph_def, variables, (_READ, *GATHERS)).gather_from_values()


def _freeze(body: _Body, values: Mapping[str, Array]) -> set[str]:
    """Makes reading these variables constants; gives the names of the nodes."""
    frozen = set()
    for node in body.nodes:
        variables = body.variables(node.input[0]) if node.op == _READ else set()
        for name in variables & values.keys():
            _make_constant(node, values[name])
            frozen.add(node.name)
    return frozen


def _make_constant(node: Any, value: Array) -> None:
    tensor = tf.make_tensor_proto(value)
    node.op = "Const"
    del node.input[:]
    node.attr.clear()
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)


def _rename_outputs(function: Any, frozen: Collection[str]) -> None:
    """In a function, outputs go by the op's name for them, which is another one for constants."""
    renamed = {f"{name}:value:0": f"{name}:output:0" for name in frozen}
    for node in function.node_def:
        if not renamed.keys().isdisjoint(node.input):
            node.input[:] = [renamed.get(reference, reference) for reference in node.input]
    for name, reference in function.ret.items():
        function.ret[name] = renamed.get(reference, reference)
