"""TensorFlow 1's conditionals and loops: ops that take dead and mixed inputs, too."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import number
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.trace import Values
from tfaas_backends.runtimes.independence.values import (
    DEAD,
    Constant,
    Counted,
    Dead,
    Mixed,
    Mixes,
    Value,
    Words,
    joined,
    scalar,
)

BY_VALUES = "lets the rows' values choose what is computed"
BY_COUNT = "lets the number of rows choose what is computed"


def condition(value: Value) -> int | None:
    """The value of a condition, 0 for false; None: it is not known, but the same for all rows.

    Raises Mixes if rows take part in it.
    """
    if not isinstance(value, Constant):
        raise Mixes(BY_COUNT if isinstance(value, Counted) else BY_VALUES)
    return number(value.elements[0]) if value.elements and value.shape == () else None


def switched(node: Node, inputs: Sequence[Value]) -> Values:
    data, chooser = inputs
    place = _place(chooser)
    if isinstance(place, Mixed):
        return (place, place)
    if place is None:
        return (data, data)
    return (DEAD, data) if place else (data, DEAD)


def switched_to_one(node: Node, inputs: Sequence[Value]) -> Values:
    """_SwitchN: by a number, which out of bounds means the last one."""
    data, chooser = inputs
    count = int(node.attribute("num_outs"))
    place = _place(chooser)
    if isinstance(place, Mixed):
        return (place,) * count
    if place is None:
        return (data,) * count
    place = place if 0 <= place < count else count - 1
    return tuple(data if i == place else DEAD for i in range(count))


def _place(chooser: Value) -> int | Mixed | None:
    """Which output is taken; None: it is not known, but the same for all rows."""
    if isinstance(chooser, Mixed):
        return Mixed(chooser.node, chooser.op, chooser.reason, branch=True)
    try:
        return condition(chooser)
    except Mixes as mixing:
        return Mixed("", "", str(mixing), branch=True)


def unfollowed(node: Node, inputs: Sequence[Value]) -> Values:
    """Of references to variables: what waits for it may not be computed at all."""
    return (Mixed("", "", "has no rule", branch=True),) * node.ports


def merged(node: Node, inputs: Sequence[Value]) -> Values:
    living = [value for value in inputs if type(value) is not Dead]
    if not living:
        return (DEAD, DEAD)
    result = living[0]
    for value in living[1:]:
        if Words in (type(value), type(result)):
            raise Mixes("joins the parts of ragged tensors")
        result = joined(result, value)
    return (result, result if type(result) is Mixed else scalar(None))


def passed(node: Node, inputs: Sequence[Value]) -> Value:
    return inputs[0]


def all_passed(node: Node, inputs: Sequence[Value]) -> Values:
    return tuple(inputs)


def unfed(node: Node, inputs: Sequence[Value]) -> Value:
    return Mixed("", "", "is not fed")


_PASSING = ("Enter", "Exit", "NextIteration", "LoopCond", "Identity", "PlaceholderWithDefault")
_OF_REFERENCES = ("RefSwitch", "RefMerge", "RefEnter", "RefExit", "RefNextIteration")
RULES: dict[str, Rule] = {
    "Switch": switched,
    "_SwitchN": switched_to_one,
    "Merge": merged,
    **dict.fromkeys(_OF_REFERENCES, unfollowed),
    **dict.fromkeys(_PASSING, passed),
    "IdentityN": all_passed,
    **dict.fromkeys(("Placeholder", "PlaceholderV2"), unfed),
}
