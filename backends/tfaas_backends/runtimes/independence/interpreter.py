"""Computes what is known of the tensors of a body, from what is known of those that are fed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from tfaas_backends.runtimes.independence.arrays import read_besides
from tfaas_backends.runtimes.independence.definitions import is_pure, takes_functions
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.program import Body, Program
from tfaas_backends.runtimes.independence.trace import MERGE, Trace, Values
from tfaas_backends.runtimes.independence.values import (
    DEAD,
    UNKNOWN_CONSTANT,
    Constant,
    Counted,
    Dead,
    Handle,
    Items,
    Mixed,
    Mixes,
    Value,
    Words,
)
from tfaas_backends.runtimes.tensorflow.state import keeps_state

Rule = Callable[[Node, Sequence[Value]], Value | Values]
"""What is known of a node's outputs, from its inputs: none of them dead or mixed. Raises Mixes."""
CallRule = Callable[["Interpreter", Node, Sequence[Value]], Values]

_DEEPEST = 40
_NO_RULE = "has no rule"


class TooMuch(Exception):
    """The graph is too large to be interpreted within the budget."""


class Rules(msgspec.Struct, frozen=True):
    """``of_handles``: the ops of ``of_ops`` that take lists or handles.

    ``of_flow`` take dead and mixed inputs, too; ``of_calls`` need the interpreter; ``of_words``
    take parts of ragged tensors. ``of_mixed`` tells what comes of a mixed input, the first one.
    """

    of_ops: Mapping[str, Rule]
    of_handles: frozenset[str]
    of_flow: Mapping[str, Rule]
    of_calls: Mapping[str, CallRule]
    of_words: Mapping[str, Rule]
    of_mixed: Callable[[Node, Sequence[Value], Mixed], Value]


class Interpreter:
    """Interprets each function once for each combination of arguments.

    ``budget``: how many rules may be applied in all. ``effects``: nodes that keep state or draw
    random numbers, found so far.
    """

    def __init__(self, program: Program, rules: Rules, budget: int) -> None:
        self.effects: list[Mixed] = []
        self._program = program
        self._rules = rules
        self._left = budget
        self._known: dict[tuple[str, Values], Values] = {}
        self._depth = 0

    def run(self, fed: Values) -> Trace:
        """All that is known of the program's graph. Raises TooMuch."""
        return self._traced(self._program.main, fed)

    def call(self, name: str, arguments: Values) -> Values:
        """What is known of a function's results. Raises Mixes, TooMuch."""
        key = (name, arguments)
        if key not in self._known:
            body = self._program.body(name)
            if body is None:
                raise Mixes("calls a function that is not there")
            if self._depth >= _DEEPEST:
                raise Mixes("calls functions too deep to be followed")
            self._known[key] = self._called(body, arguments)
        return self._known[key]

    def _called(self, body: Body, arguments: Values) -> Values:
        self._depth += 1
        try:
            results = self._traced(body, arguments).results()
        finally:
            self._depth -= 1
        if any(isinstance(result, Words) for result in results):
            raise Mixes("returns the parts of a ragged tensor")
        return results

    def _traced(self, body: Body, fed: Values) -> Trace:
        trace = Trace(body, fed, self._applied)
        trace.complete()
        self.effects += read_besides(trace)
        return trace

    def _applied(self, where: str, node: Node, inputs: Sequence[Value], alive: bool) -> Values:
        """What is known of a node's outputs; ``alive``: no node that it waits for is dead."""
        self._left -= 1
        if self._left < 0:
            raise TooMuch
        try:
            return self._outcome(where, node, inputs, alive)
        except Mixes as mixing:
            return _all(node, Mixed(where, node.op, str(mixing), single=mixing.single))
        except TooMuch:
            raise
        except Exception:
            return _all(node, Mixed(where, node.op, "could not be followed"))

    def _outcome(self, where: str, node: Node, inputs: Sequence[Value], alive: bool) -> Values:
        op = node.op
        flow = self._rules.of_flow.get(op)
        if flow is not None:
            if op != MERGE and not (alive and all(type(v) is not Dead for v in inputs)):
                return _all(node, DEAD)
            return tuple(_blamed(v, where, op) for v in _tuple(flow(node, inputs)))
        if not alive or any(type(value) is Dead for value in inputs):
            return _all(node, DEAD)
        call = self._rules.of_calls.get(op)
        if call is not None:
            return tuple(_blamed(v, where, op) for v in call(self, node, inputs))
        if not is_pure(op) and keeps_state(op):
            self.effects.append(Mixed(where, op, "keeps state or draws random numbers"))
            return _all(node, self.effects[-1])
        for value in inputs:
            if type(value) is Mixed:
                return _all(node, self._rules.of_mixed(node, inputs, value))
        return self._computed(node, inputs)

    def _computed(self, node: Node, inputs: Sequence[Value]) -> Values:
        rule = self._rules.of_ops.get(node.op)
        kinds = {type(value) for value in inputs}
        if Words in kinds:
            rule = self._rules.of_words.get(node.op)
        elif kinds & {Items, Handle} and node.op not in self._rules.of_handles:
            raise Mixes(_NO_RULE)
        if takes_functions(node.op):
            raise Mixes(_NO_RULE)
        if kinds <= {Constant, Counted} and is_pure(node.op):
            return _of_constants(rule, node, inputs, Counted in kinds)
        if rule is None:
            raise Mixes(_NO_RULE)
        return _tuple(rule(node, inputs))


def _of_constants(rule: Rule | None, node: Node, inputs: Sequence[Value], counted: bool) -> Values:
    """Of a pure function of the number of rows at most: nothing about it can mix."""
    unknown = Counted() if counted else UNKNOWN_CONSTANT
    if rule is not None:
        try:
            found = _tuple(rule(node, inputs))
            return tuple(unknown if counted and _is_vague(v) else v for v in found)
        except Exception:
            pass
    return _all(node, unknown)


def _is_vague(value: Value) -> bool:
    """Whether it is said to be constant, but not what it is."""
    return isinstance(value, Constant) and (value.elements is None or None in value.elements)


def _blamed(value: Value, where: str, op: str) -> Value:
    """With this node to blame, if a value is mixed and names none yet."""
    if isinstance(value, Mixed) and not value.node:
        return msgspec.structs.replace(value, node=where, op=op)
    return value


def _tuple(values: Value | Values) -> Values:
    return values if isinstance(values, tuple) else (values,)


def _all(node: Node, value: Value) -> Values:
    return (value,) * node.ports
