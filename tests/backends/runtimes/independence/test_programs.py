"""Small programs, drawn at random: rules work together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tfaas_backends.runtimes.independence.values import Rows
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.independence.draw import Draw
from tests.backends.runtimes.independence.refutation import claims, fetchable, refuted
from tfaas_core.testing.tries import tries

STEPS = 6
PROGRAMS = tries(60)


def _regrouped(draw: Draw, x: Any) -> Any:
    shape = tf.unstack(tf.shape(x), num=x.shape.rank)
    place = draw.size(0, len(shape) - 1)
    if draw.chance() and place:
        shape[place - 1 : place + 1] = [shape[place - 1] * shape[place]]
    else:
        shape[place : place + 1] = draw.one_of([[1, shape[place]], [shape[place], 1]])
    return tf.reshape(x, tf.stack(shape))


def _halved(draw: Draw, x: Any) -> Any:
    return tf.reshape(x, [-1, draw.one_of([1, 2])])


def _reduced(draw: Draw, x: Any) -> Any:
    function = draw.one_of([tf.reduce_sum, tf.reduce_max, tf.reduce_min])
    return function(x, draw.axis(x), keepdims=draw.chance())


def _combined(draw: Draw, x: Any) -> Any:
    other = draw.one_of(
        [x, tf.abs(x), x[:1], tf.zeros_like(x) + 1, tf.reduce_max(x, -1, keepdims=True)]
    )
    return draw.one_of([tf.add, tf.subtract, tf.maximum])(x, other)


def _counted(draw: Draw, x: Any) -> Any:
    size = tf.cast(tf.shape(x)[draw.axis(x)], tf.float32)
    return x + size if draw.chance() else x + tf.range(size)


def _chosen(draw: Draw, x: Any) -> Any:
    sizes = tf.shape(x)
    choice = draw.one_of([sizes[-1] > 2, sizes[0] > 2, tf.reduce_max(x) > 1])
    return tf.cond(choice, lambda: x + 1, lambda: tf.abs(x))


def _looped(draw: Draw, x: Any) -> Any:
    turns = draw.one_of([2, tf.shape(x)[draw.axis(x)]])
    free = tf.TensorShape([None] * x.shape.rank)
    body = draw.one_of([lambda i, y: (i + 1, tf.maximum(y, x)), lambda i, y: (i + 1, y[::-1])])
    return tf.while_loop(lambda i, y: i < turns, body, (0, tf.abs(x)), (tf.TensorShape([]), free))[
        1
    ]


MOVES: list[Callable[[Draw, Any], Any]] = [
    _regrouped, _regrouped, _halved, _reduced, _combined, _combined, _counted, _chosen, _looped,
    lambda draw, x: tf.transpose(x, draw.random.permutation(x.shape.rank)),
    lambda draw, x: tf.expand_dims(x, draw.axis(x, 1)),
    lambda draw, x: tf.tile(x, [draw.size(1, 2) for _ in range(x.shape.rank)]),
    lambda draw, x: tf.concat([x, tf.abs(x)], draw.axis(x)),
    lambda draw, x: tf.stack([x, -x], draw.axis(x, 1)),
    lambda draw, x: tf.reverse(x, [draw.axis(x)]),
    lambda draw, x: tf.cumsum(x, draw.axis(x)),
    lambda draw, x: tf.pad(x, [[draw.size(0, 1), 0] for _ in range(x.shape.rank)]),
    lambda draw, x: tf.matmul(x, x, transpose_b=True),
    lambda draw, x: tf.broadcast_to(x[..., :1], tf.shape(x)),
    lambda draw, x: tf.gather(x, draw.one_of([[0], [0, 0]]), axis=draw.axis(x)),
    lambda draw, x: tf.squeeze(x[:, :1], 1),
    lambda draw, x: tf.cast(tf.argmax(x, draw.axis(x)), tf.float32),
]  # fmt: skip


def _built(seed: int) -> tuple[Any, Draw, Any]:
    graph = tf.Graph()
    with graph.as_default():
        draw = Draw(seed)
        x = draw.rows(draw.sizes(1, 2))
        for _ in range(draw.size(2, STEPS)):
            try:
                x = draw.one_of(MOVES)(draw, x)
            except (ValueError, IndexError, TypeError):  # it does not fit what came of the others
                continue
    return graph, draw, x


@pytest.mark.parametrize("part", range(6))
def test_tensorflow_does_not_refute_what_is_claimed_of_a_program(part: int) -> None:
    proven = 0
    for seed in range(part, PROGRAMS, 6):
        graph, draw, result = _built(seed)
        assert refuted(graph, draw.inputs) == [], f"seed {seed}"
        if result.name in fetchable(graph):
            proven += isinstance(claims(graph, draw.inputs, [result.name])[result.name], Rows)
    assert proven
