"""The refutation itself: it finds the rules that are broken on purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from tfaas_backends.runtimes.independence.dimensions import ONE
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.table import RULES
from tfaas_backends.runtimes.independence.values import Constant, Rows, Value
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.independence.draw import Draw
from tests.backends.runtimes.independence.refutation import refuted

Broken = Callable[[Node, Sequence[Value]], Value]


def unchanged(node: Node, inputs: Sequence[Value]) -> Value:
    """Claims that the rows are the first input's."""
    return inputs[0]


def without_axis(node: Node, inputs: Sequence[Value]) -> Value:
    """Claims that a reduction over the rows leaves rows."""
    rows = inputs[0]
    assert isinstance(rows, Rows)
    return Rows((*rows.shape[:1], ONE), 0)


def constant(node: Node, inputs: Sequence[Value]) -> Value:
    return Constant()


def swapped(node: Node, inputs: Sequence[Value]) -> Value:
    """Claims that rows are in the order of another axis."""
    rows = inputs[0]
    assert isinstance(rows, Rows)
    return Rows((rows.shape[0], rows.shape[2], rows.shape[1]), 0)


def strange_condition(node: Node, inputs: Sequence[Value]) -> tuple[Value, Value]:
    return (inputs[0], inputs[0])


def choice_by_rows(x: Any) -> Any:
    return tf.cond(tf.reduce_all(x[:, 0] > 1), lambda: x * 2, lambda: x * 3)


WRONG: list[tuple[str, Broken, Callable[[Any], Any]]] = [
    ("Max", without_axis, lambda x: tf.reduce_max(x[:, :, 0], 0, keepdims=True) + 0 * x[:, :, 0]),
    ("Max", constant, lambda x: tf.reduce_max(x)),
    ("ReverseV2", unchanged, lambda x: tf.reverse(x, [0])),
    ("Cumsum", unchanged, lambda x: tf.cumsum(x, 0)),
    ("Softmax", unchanged, lambda x: tf.transpose(tf.nn.softmax(tf.transpose(x)))),
    ("Roll", unchanged, lambda x: tf.roll(x, 1, 0)),
    ("Transpose", swapped, lambda x: tf.transpose(x, [1, 0, 2])),
    ("GatherV2", unchanged, lambda x: tf.gather(x, [0] * 3)),
    ("Shape", constant, lambda x: tf.zeros([4]) + tf.cast(tf.shape(x)[0], tf.float32)),
    ("StridedSlice", unchanged, lambda x: x[::-1]),
    ("Reshape", unchanged, lambda x: tf.reshape(tf.transpose(x, [1, 0, 2]), tf.shape(x))),
]


@pytest.mark.parametrize(("op", "rule", "build"), WRONG, ids=lambda part: str(part)[:20])
def test_a_broken_rule_is_refuted(op: str, rule: Broken, build: Callable[[Any], Any]) -> None:
    graph = tf.Graph()
    with graph.as_default():
        draw = Draw(1)
        build(draw.rows([4, 4], free=False))
    broken = msgspec.structs.replace(RULES, of_ops={**RULES.of_ops, op: rule})
    assert refuted(graph, draw.inputs) == []
    assert refuted(graph, draw.inputs, broken)


def test_a_choice_by_rows_that_is_taken_for_a_constant_one_is_refuted() -> None:
    graph = tf.Graph()
    with graph.as_default():
        tf.compat.v1.disable_control_flow_v2()
        draw = Draw(1)
        tf.identity(choice_by_rows(draw.rows([4])))
        tf.compat.v1.enable_control_flow_v2()
    broken = msgspec.structs.replace(RULES, of_flow={**RULES.of_flow, "Switch": strange_condition})
    assert refuted(graph, draw.inputs) == []
    assert refuted(graph, draw.inputs, broken)
