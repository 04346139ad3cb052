"""What the Prover promises, whatever it is given."""

from __future__ import annotations

from typing import Any

import pytest
from tfaas_backends.runtimes.independence import prover as prover_module
from tfaas_backends.runtimes.independence.prover import Finding, Proof, Prover
from tfaas_backends.runtimes.tensorflow.quiet import tf

v1 = tf.compat.v1


def graph_of(build: Any) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        build()
    return graph.as_graph_def()


def x(*inner: int | None) -> Any:
    return v1.placeholder(tf.float32, [None, *inner], name="x")


def proof(build: Any, *shapes: Any, inputs: Any = ("x:0",), outputs: Any = ("y:0",)) -> Proof:
    return Prover(graph_of(build), inputs, outputs).prove(shapes)


def test_rows_are_told_with_what_is_known_of_their_shape() -> None:
    def build() -> None:
        tf.abs(v1.placeholder(tf.float32, name="x"), name="y")

    assert proof(build, (None, 3, None)).outputs == (Finding("rows", (None, 3, None)),)


def test_a_constant_output_may_come_beside_rows_but_not_alone() -> None:
    def build() -> None:
        tf.abs(x(2), name="y")
        tf.constant([1.0, 2.0], name="c")

    both = proof(build, (None, 2), outputs=("y:0", "c:0"))
    assert [finding.kind for finding in both.outputs] == ["rows", "constant"]
    assert (both.mergeable, both.why) == (True, "")
    alone = proof(build, (None, 2), outputs=("c:0",))
    assert (alone.mergeable, alone.why) == (False, "no output depends on the rows")


def test_why_not_is_told_in_one_clause() -> None:
    told = proof(lambda: tf.reduce_max(x(2), 0, name="y"), (None, 2))
    assert told.why == "node 'y' (Max) takes the largest over the rows"


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (None, "the number of axes of an input is unknown"),
        ((), "an input has no axis of rows"),
        ((4, 2), "its number of rows is fixed"),
    ],
)
def test_inputs_without_free_rows_are_refused(shape: Any, why: str) -> None:
    told = proof(lambda: tf.abs(v1.placeholder(tf.float32, name="x"), name="y"), shape)
    assert (told.mergeable, told.why) == (False, why)


def test_any_tensor_can_be_fed() -> None:
    def build() -> None:
        mixed = tf.cumsum(x(2), name="mixed")
        tf.abs(mixed, name="y")

    assert proof(build, (None, 2), inputs=("mixed:0",)).mergeable
    assert not proof(build, (None, 2)).mergeable


def test_an_input_may_be_an_output() -> None:
    told = proof(lambda: x(2), (None, 2), outputs=("x:0",))
    assert told.outputs == (Finding("rows", (None, 2)),)


def test_a_placeholder_that_is_not_fed_has_its_default() -> None:
    def build() -> None:
        rate = v1.placeholder_with_default(tf.constant([1.0, 2.0]), [2])
        tf.multiply(x(2), rate, name="y")

    assert proof(build, (None, 2)).mergeable


def test_a_placeholder_that_is_not_fed_and_has_no_default_is_told() -> None:
    told = proof(lambda: tf.add(x(2), v1.placeholder(tf.float32, name="z"), name="y"), (None, 2))
    assert told.why == "node 'z' (Placeholder) is not fed"


def test_what_no_output_needs_does_not_matter() -> None:
    def build() -> None:
        tf.cumsum(tf.abs(x(2), name="y"))
        v1.assign(v1.get_variable("w", [2], use_resource=False), [1.0, 1.0])

    assert proof(build, (None, 2)).mergeable


def test_a_branch_that_is_never_taken_does_not_matter() -> None:
    def build() -> None:
        v1.disable_control_flow_v2()
        training = v1.placeholder_with_default(False, [])
        rows = x(2)
        noisy = v1.cond(training, lambda: rows + v1.random_uniform([2]), lambda: rows)
        v1.enable_control_flow_v2()
        tf.identity(noisy, name="y")

    assert proof(build, (None, 2)).mergeable


def test_sizes_that_requests_choose_are_told_apart() -> None:
    def build() -> None:
        a, b = (v1.placeholder(tf.float32, [None, None], name=name) for name in "ab")
        tf.add(a, tf.reshape(b, [-1, tf.shape(a)[1]]), name="y")

    assert proof(build, (None, None), (None, None), inputs=("a:0", "b:0")).mergeable is False
    assert proof(build, (None, 4), (None, 4), inputs=("a:0", "b:0")).mergeable


def test_a_proof_of_other_shapes_is_another_proof() -> None:
    def build() -> None:
        tf.reshape(v1.placeholder(tf.float32, name="x"), [-1, 6], name="y")

    prover = Prover(graph_of(build), ["x:0"], ["y:0"])
    assert prover.prove([(None, 2, 3)]).mergeable
    assert not prover.prove([(None, 2, 2)]).mergeable
    assert prover.prove([(None, 6)]).mergeable


def test_a_deep_graph_is_no_trouble() -> None:
    def build() -> None:
        tensor = x(2)
        for _ in range(1500):
            tensor = tf.raw_ops.Abs(x=tensor)
        tf.identity(tensor, name="y")

    assert proof(build, (None, 2)).mergeable


def test_a_graph_beyond_the_budget_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prover_module, "BUDGET", 3)
    told = proof(lambda: tf.abs(tf.abs(tf.abs(tf.abs(x(2)))), name="y"), (None, 2))
    assert told.why == "the graph is too large to prove"


def nothing(graph_def: Any) -> None:
    del graph_def.node[:]


def missing_input(graph_def: Any) -> None:
    graph_def.node[-1].input[0] = "gone"


def unknown_op(graph_def: Any) -> None:
    graph_def.node[-1].op = "Frobnicate"


def cycle(graph_def: Any) -> None:
    graph_def.node[-1].input[0] = "y"


def strange_attribute(graph_def: Any) -> None:
    graph_def.node[-1].op = "Squeeze"
    graph_def.node[-1].attr["squeeze_dims"].s = b"one"


def function_without_end(graph_def: Any) -> None:
    node = graph_def.node[-1]
    node.op = "PartitionedCall"
    node.attr["f"].func.name = "endless"
    function = graph_def.library.function.add()
    function.signature.name = "endless"
    function.signature.input_arg.add(name="x")
    function.signature.output_arg.add(name="y")
    call = function.node_def.add(name="again", op="PartitionedCall", input=["x"])
    call.attr["f"].func.name = "endless"
    function.ret["y"] = "again:output:0"
    call.attr["Tout"].list.type.append(1)


@pytest.mark.parametrize(
    "break_it",
    [nothing, missing_input, unknown_op, cycle, strange_attribute, function_without_end],
)
def test_of_a_broken_graph_nothing_is_proven(break_it: Any) -> None:
    graph_def = graph_of(lambda: tf.abs(x(2), name="y"))
    break_it(graph_def)
    told = Prover(graph_def, ["x:0"], ["y:0"]).prove([(None, 2)])
    assert not told.mergeable
    assert told.why


def test_a_broken_function_that_is_not_called_does_not_matter() -> None:
    graph_def = graph_of(lambda: tf.abs(x(2), name="y"))
    function = graph_def.library.function.add()
    function.signature.name = "broken"
    function.signature.output_arg.add(name="z")
    function.ret["z"] = "gone:output:0"
    assert Prover(graph_def, ["x:0"], ["y:0"]).prove([(None, 2)]).mergeable


def test_the_graph_can_be_freed() -> None:
    graph_def = graph_of(lambda: tf.abs(x(2), name="y"))
    prover = Prover(graph_def, ["x:0"], ["y:0"])
    graph_def.Clear()
    assert prover.prove([(None, 2)]).mergeable
