"""Graphs that are run by TensorFlow's single-threaded executor answer, and fail, as ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.executor import is_plain
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.tensorflow.session import Feeds, GraphSession

from tfaas_core.errors import DoesNotFit

Make = Callable[[Any], Any]


def picked(x: Any) -> Any:
    return tf.reshape(tf.gather(tf.constant([1.0, 2.0, 4.0]), x), [-1, 2])


def looped(x: Any) -> Any:
    return tf.while_loop(lambda y: tf.reduce_sum(y) < 100, lambda y: [y * 2], [x])[0]


def branched(x: Any) -> Any:
    return tf.cond(tf.reduce_sum(x) > 3, lambda: x * 2, lambda: x)


def opened(make: Make, plain: bool) -> tuple[Any, GraphSession]:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.int32, [None], "x")
        y = make(x)
    return graph.as_graph_def(), GraphSession(graph, [Feeds([x], [y])], 1, plain=plain)


def test_errors_are_those_of_the_other_executor() -> None:
    said = []
    for plain in (False, True):
        graph_def, session = opened(picked, plain)
        assert is_plain(graph_def)
        np.testing.assert_array_equal(session.run([np.array([0, 2], np.int32)])[0], [[1, 4]])
        for values in ([0, 9], [0, 1, 2]):
            with pytest.raises(DoesNotFit) as raised:
                session.run([np.array(values, np.int32)])
            said.append(raised.value.message)
        session.close()
    assert said[:2] == said[2:]


def test_a_choice_of_each_element_is_no_branch() -> None:
    graph_def, session = opened(lambda x: tf.compat.v1.where(x > 1, x, -x), plain=True)
    assert is_plain(graph_def)
    assert session.run([np.array([1, 3], np.int32)])[0].tolist() == [-1, 3]
    session.close()


@pytest.mark.parametrize("make", [looped, branched])
@pytest.mark.parametrize("v2", [False, True])
def test_loops_and_branches_are_run_all_the_same(make: Make, v2: bool) -> None:
    switch = tf.compat.v1.enable_control_flow_v2 if v2 else tf.compat.v1.disable_control_flow_v2
    was = tf.compat.v1.control_flow_v2_enabled()
    switch()
    try:
        graph_def, session = opened(make, plain=True)
    finally:
        (tf.compat.v1.enable_control_flow_v2 if was else tf.compat.v1.disable_control_flow_v2)()
    assert not is_plain(graph_def)
    assert session.run([np.array([1, 3], np.int32)])[0].tolist() == (
        [32, 96] if make is looped else [2, 6]
    )
    session.close()
