"""Variables that become constants, and those that must not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.saved_model.folder import read_meta_graph
from tfaas_backends.runtimes.saved_model.freezing import VariableUses, gather_from_values
from tfaas_backends.runtimes.saved_model.gathers import GATHERS
from tfaas_backends.runtimes.saved_model.variables import variables_in
from tfaas_backends.runtimes.tensorflow.pruning import node_of, pruned
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import (
    answers,
    function,
    load,
    save,
    save_v1,
    v1,
)

A, B = np.array([2.0, 3.0], np.float32), np.array([5.0, 7.0], np.float32)
ONES = np.ones(2, np.float32)

Body = Callable[[Any, Any, Any], Any]


def inline(body: Callable[..., Any]) -> Any:
    return tf.function(body, autograph=False)


multiplied = inline(lambda x, variable: x * variable.read_value())


def nested(x: Any, a: Any, b: Any) -> Any:
    return inline(lambda x: multiplied(x, a) + b)(x)


def branches(x: Any, a: Any, b: Any) -> Any:
    return tf.cond(x[0] > 9, lambda: x * a, lambda: x * a + b)


def loop(x: Any, a: Any, b: Any) -> Any:
    return tf.while_loop(lambda i, x: i < 2, lambda i, x: (i + 1, x * a), (0, x))[1] + b


def read_twice(x: Any, a: Any, b: Any) -> Any:
    return tf.cond(x[0] > 9, lambda: x, lambda: x * a) + a + b


def shared_function(x: Any, a: Any, b: Any) -> Any:
    return multiplied(x, a) + multiplied(x, b)


def gathered(x: Any, a: Any, b: Any) -> Any:
    return x * tf.gather(a, [1, 0]) + b


def assigned(x: Any, a: Any, b: Any) -> Any:
    return x * a.assign(a + 1) + b


def shared_with_a_branch(x: Any, a: Any, b: Any) -> Any:
    """One call of a function is behind an op that is not followed."""
    branch = tf.cast(x[0], tf.int32)
    return multiplied(x, a) + tf.switch_case(branch, [lambda: x, lambda: multiplied(x, b)])


def chosen(x: Any, a: Any, b: Any) -> Any:
    """Which of the two is read is only known when it runs."""
    handle = tf.cond(x[0] > 9, lambda: tf.identity(a.handle), lambda: tf.identity(b.handle))
    return x * tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)


def saved(folder: Path, body: Body) -> Path:
    module = tf.Module()
    module.a, module.b = tf.Variable(A, name="a"), tf.Variable(B, name="b")
    return save(
        folder, function(lambda x: {"y": body(x, module.a, module.b)}, x=tf.float32), module
    )


def graph_of(folder: Path) -> tuple[Any, str]:
    meta_graph = read_meta_graph(folder, frozenset({"serve"}))
    output = meta_graph.signature_def["serving_default"].outputs["y"].name
    return pruned(meta_graph.graph_def, [node_of(output)]), output


def run(graph_def: Any, output: str) -> Any:
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(output, {"serving_default_x:0": ONES}).tolist()


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (nested, A + B),
        (branches, A + B),
        (loop, A * A + B),
        (read_twice, A + A + B),
    ],
)
def test_variables_that_are_only_read_become_constants(
    tmp_path: Path, body: Body, answer: Any
) -> None:
    graph_def, output = graph_of(saved(tmp_path / "model", body))
    uses = VariableUses(graph_def, variables_in(graph_def))
    assert uses.only_read == variables_in(graph_def)
    uses.freeze({name: A if name.startswith("a") else B for name in uses.only_read})
    assert run(graph_def, output) == answer.tolist()  # though nothing initialised a variable


@pytest.mark.parametrize(
    ("body", "only_read", "answer"),
    [
        (shared_function, set(), A + B),
        (gathered, {"b"}, A[::-1] + B),
        (assigned, {"b"}, A + 1 + B),
        (shared_with_a_branch, set(), A + B),
        (chosen, set(), B),
    ],
)
def test_variables_of_other_uses_stay_variables(
    tmp_path: Path, body: Body, only_read: set[str], answer: Any
) -> None:
    folder = saved(tmp_path / "model", body)
    graph_def, _ = graph_of(folder)
    assert VariableUses(graph_def, variables_in(graph_def)).only_read == only_read
    assert load(folder).run([ONES])[0].tolist() == answer.tolist()


@pytest.mark.parametrize("assigned", [False, True])
def test_a_reference_that_is_only_read_becomes_a_constant(tmp_path: Path, assigned: bool) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], name="serving_default_x")
        a = v1.get_variable("a", initializer=A)
        return {"x": x}, {"y": x * (v1.assign_add(a, A) if assigned else a)}

    folder = save_v1(tmp_path / "model", build, resources=False)
    graph_def, output = graph_of(folder)
    uses = VariableUses(graph_def, {"a"})
    assert uses.only_read == (set() if assigned else {"a"})
    if not assigned:
        uses.freeze({"a": A})
        assert run(graph_def, output) == A.tolist()
    assert load(folder).run([ONES])[0].tolist() == (A + A if assigned else A).tolist()


def test_a_gathered_table_is_only_read_once_it_is_read_before(tmp_path: Path) -> None:
    table = np.arange(6, dtype=np.float32).reshape(2, 3)

    def build() -> Any:
        x = v1.placeholder(tf.int32, [2, None], name="serving_default_x")
        variable = v1.get_variable("table", initializer=table)
        first = {"resource": variable.handle, "dtype": tf.float32}
        taken = tf.constant(1.0, name="rows/read")
        rows = tf.raw_ops.ResourceGather(**first, indices=x, name="rows") * taken
        each = tf.raw_ops.ResourceGather(**first, indices=x, batch_dims=1)
        one = tf.raw_ops.ResourceGatherNd(**first, indices=x)
        return {"x": x}, {"rows": rows, "each": each, "one": one}

    folder = save_v1(tmp_path / "model", build)
    meta_graph = read_meta_graph(folder, frozenset({"serve"}))
    outputs = meta_graph.signature_def["serving_default"].outputs.values()
    graph_def = pruned(meta_graph.graph_def, [node_of(output.name) for output in outputs])
    gather_from_values(graph_def, {"table"})
    assert not GATHERS.keys() & {node.op for node in graph_def.node}
    assert len({node.name for node in graph_def.node}) == len(graph_def.node)
    found = answers(load(folder), np.array([[0, 1], [1, 0]], np.int32))
    assert found["rows"].tolist() == table[[[0, 1], [1, 0]]].tolist()
    assert found["each"].tolist() == [[0, 1], [4, 3]]
    assert found["one"].tolist() == [1, 3]


def test_a_function_that_is_given_another_variable_too_keeps_it(tmp_path: Path) -> None:
    """The other is none of those to be frozen: something assigns to it, say."""
    graph_def, _ = graph_of(saved(tmp_path / "model", shared_function))
    for name in variables_in(graph_def):
        assert VariableUses(graph_def, {name}).only_read == set()
