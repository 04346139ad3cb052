"""What is known of single elements that are mixed: between two bounds that agree they are constant.

So counts of categories are written: by the largest category that there is, but no fewer and no more
than are known.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tfaas_backends.runtimes.independence.dimensions import Dimension, number
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.elementwise import BROADCASTING
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Mixed,
    Rows,
    Value,
    scalar,
)


def mixed(node: Node, inputs: Sequence[Value], first: Mixed) -> Value:
    if first.branch or node.op not in BROADCASTING or not all(map(_is_single, inputs)):
        return msgspec.structs.replace(first, single=False, least=None)
    bounds = [b for b in map(_constant, inputs) if b is not None]
    if bounds and node.op == "Maximum":
        return msgspec.structs.replace(first, single=True, least=bounds[0])
    if bounds and node.op == "Minimum" and first.least is not None and first.least >= bounds[0]:
        return scalar(Dimension(bounds[0]))
    return msgspec.structs.replace(first, single=True, least=None)


def _is_single(value: Value) -> bool:
    match value:
        case Mixed():
            return value.single and not value.branch
        case Constant() | Counted() | Rows():
            return value.shape == ()
    return False


def _constant(value: Value) -> int | None:
    if isinstance(value, Constant) and value.elements:
        return number(value.elements[0])
    return None
