"""Texts that are split into words, as many as each has, and then made equally long again."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import ONE, ROWS, Dimension
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import constants, numbers, rows_of
from tfaas_backends.runtimes.independence.rules.elementwise import BROADCASTING
from tfaas_backends.runtimes.independence.rules.strings import SINGLE
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Handle,
    Mixes,
    Rows,
    Value,
    Words,
    scalar,
)

_LONGEST = "makes the rows as long as the longest of them"
_NO_RULE = "has no rule"


def split(node: Node, inputs: Sequence[Value]) -> tuple[Value, ...]:
    """StringSplitV2: the pairs of row and column, the words, and the shape."""
    constants(inputs[1:], "splits by what is computed of rows")
    rows = rows_of(inputs[0])
    if (rows.axis, rows.before, rows.after) != (0, ONE, ONE) or len(rows.shape) != 1:
        raise Mixes(_NO_RULE)
    return tuple(Words(part, id(node)) for part in ("pairs", "values", "shape"))


def aligned(node: Node, inputs: Sequence[Value]) -> Value:
    """Each word by itself, or with others at the same place."""
    words = [value for value in inputs if isinstance(value, Words)]
    if node.op == "Cast" and words[0].part == "ids":
        return words[0]
    rest = [value for value in inputs if not isinstance(value, Words)]
    if any(not isinstance(value, Constant) or value.shape != () for value in rest):
        raise Mixes(_NO_RULE)
    if any(value != words[0] or value.part != "values" for value in words):
        raise Mixes(_NO_RULE)
    return words[0]


def taken(node: Node, inputs: Sequence[Value]) -> Value:
    """StridedSlice: the rows of the pairs, or the number of rows of the shape."""
    words = inputs[0]
    assert isinstance(words, Words)
    masks = ("begin_mask", "end_mask", "shrink_axis_mask", "new_axis_mask", "ellipsis_mask")
    begins, steps = numbers(inputs[1]), numbers(inputs[3])
    found = [node.attribute(name) for name in masks]
    whole = found[0] & 1 and found[1] & 1 and steps == (1, 1)
    if words.part == "pairs" and whole and begins[1:] == (0,) and found[2:] == [2, 0, 0]:
        return Words("ids", words.source)
    if words.part == "shape" and begins == (0,) and found[2:] == [1, 0, 0]:
        return scalar(ROWS, counted=True)
    raise Mixes(_LONGEST if words.part == "shape" else _NO_RULE)


def looked_up(node: Node, inputs: Sequence[Value]) -> Value:
    table, words, default = inputs
    if not isinstance(table, Handle | Constant) or not isinstance(default, Constant):
        raise Mixes(_NO_RULE)
    if not isinstance(words, Words) or words.part != "values":
        raise Mixes(_NO_RULE)
    return words


def to_tensor(node: Node, inputs: Sequence[Value]) -> Value:
    """RaggedTensorToTensor: of a number of columns that is known."""
    shape, words, default, count, ids = inputs
    if not isinstance(words, Words) or words.part != "values" or not isinstance(default, Constant):
        raise Mixes(_NO_RULE)
    sizes = numbers(shape)
    if len(sizes) != 2 or sizes[0] != -1 or sizes[1] < 0:
        raise Mixes(_LONGEST)
    is_counted = isinstance(count, Counted) and count.elements == (ROWS,)
    kinds = tuple(node.attribute("row_partition_types"))
    if kinds != ("FIRST_DIM_SIZE", "VALUE_ROWIDS") or not is_counted:
        raise Mixes(_NO_RULE)
    if ids != Words("ids", words.source) or default.shape != ():
        raise Mixes(_NO_RULE)
    return Rows((ROWS, Dimension(sizes[1])), 0)


RULES: dict[str, Rule] = {"StringSplitV2": split}
OF_WORDS: dict[str, Rule] = {
    **dict.fromkeys(BROADCASTING | SINGLE, aligned),
    "StridedSlice": taken,
    "LookupTableFindV2": looked_up,
    "RaggedTensorToTensor": to_tensor,
}
