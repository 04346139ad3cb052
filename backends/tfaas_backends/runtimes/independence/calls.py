"""Calls of functions: plain ones, conditionals and loops."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.flow import BY_COUNT, BY_VALUES, condition
from tfaas_backends.runtimes.independence.interpreter import CallRule, Interpreter
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.trace import Values
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Mixed,
    Mixes,
    Value,
    Words,
    joined,
)


def called(interpreter: Interpreter, node: Node, inputs: Sequence[Value]) -> Values:
    return interpreter.call(node.attribute("f"), tuple(inputs))


def chosen(interpreter: Interpreter, node: Node, inputs: Sequence[Value]) -> Values:
    chooser, *arguments = inputs
    branches = _branches(node)
    if not isinstance(chooser, Constant):
        return _mixed(interpreter, node, branches, chooser, arguments)
    number = condition(chooser)
    if number is not None:
        branches = [branches[_place(node, number, len(branches))]]
    results = [interpreter.call(name, tuple(arguments)) for name in branches]
    together = results[0]
    for others in results[1:]:
        together = tuple(map(_joined, together, others))
    return together


def _branches(node: Node) -> list[str]:
    if node.op in ("If", "StatelessIf"):
        return [node.attribute("then_branch"), node.attribute("else_branch")]
    return list(node.attribute("branches"))


def _place(node: Node, number: int, count: int) -> int:
    if node.op in ("If", "StatelessIf"):
        return 0 if number else 1
    return number if 0 <= number < count else count - 1


def looped(interpreter: Interpreter, node: Node, inputs: Sequence[Value]) -> Values:
    state = tuple(inputs)
    condition_name, body_name = node.attribute("cond"), node.attribute("body")
    while True:
        (chooser,) = interpreter.call(condition_name, state)
        if not isinstance(chooser, Constant):
            return _mixed(interpreter, node, [condition_name, body_name], chooser, state)
        if condition(chooser) == 0:
            return state
        after = tuple(map(_joined, state, interpreter.call(body_name, state)))
        if after == state:
            return state
        state = after


def _mixed(
    interpreter: Interpreter,
    node: Node,
    functions: Sequence[str],
    chooser: Value,
    arguments: Sequence[Value],
) -> Values:
    """Of what the rows' values choose nothing is known, but what it does to state matters.

    The node itself is computed in any case, so what only waits for it is, too: an assertion does
    not matter.
    """
    reason = BY_COUNT if isinstance(chooser, Counted) else BY_VALUES
    mixed = chooser if isinstance(chooser, Mixed) else Mixed("", "", reason)
    for name in functions:
        interpreter.call(name, (mixed,) * len(arguments))
    return (Mixed(mixed.node, mixed.op, mixed.reason),) * node.ports


def _joined(one: Value, other: Value) -> Value:
    """What two branches or turns agree on; each output is mixed by itself."""
    if Words in (type(one), type(other)):
        return Mixed("", "", "joins the parts of ragged tensors")
    try:
        return joined(one, other)
    except Mixes as mixing:
        return Mixed("", "", str(mixing))


RULES: dict[str, CallRule] = {
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), called),
    **dict.fromkeys(("If", "StatelessIf", "Case", "StatelessCase"), chosen),
    **dict.fromkeys(("While", "StatelessWhile"), looped),
}
