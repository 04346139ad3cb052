"""What is made of constants adds up only as far as it may be there at once."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.vetting.graph_vetting import vet_graph
from tfaas_backends.runtimes.vetting.place import Place
from tfaas_backends.runtimes.vetting.together import MAX_ALL_MADE_BYTES, Together

from tests.backends.runtimes.vetting.graphs import add, call, constant, harmless
from tfaas_core.errors import CannotServe

GIGABYTE = [1 << 28]
MANY = 8
PAIRS = [256, 100, 100, 64]


def filled(graph_def: Any, name: str, *waits_for: str) -> Any:
    """Adds a gigabyte, which is made once what it waits for is there."""
    return floats(add(graph_def, name, "Fill", "size", "value", *waits_for))


def floats(node: Any) -> Any:
    node.attr["T"].type = tf.float32.as_datatype_enum
    return node


def graph_of(*names: str) -> Any:
    graph_def = harmless()
    constant(graph_def, "size", GIGABYTE)
    constant(graph_def, "value", 1.0)
    for name in names:
        filled(graph_def, name)
    return graph_def


def refused_at(graph_def: Any) -> Any:
    """The path to what is too much beside others."""
    most = f"with others, that is more than {MAX_ALL_MADE_BYTES} bytes"
    with pytest.raises(CannotServe, match=most) as refused:
        vet_graph(graph_def, (), 0)
    return refused.value.details["path"]


def in_functions(count: int) -> Any:
    """A graph with functions, each of which makes a gigabyte. Nothing calls them yet."""
    graph_def = graph_of()
    for number in range(count):
        function = graph_def.library.function.add()
        function.signature.name = f"f{number}"
        for source in graph_def.node[2:4]:
            function.node_def.add().CopyFrom(source)
        floats(function.node_def.add(name="made", op="Fill"))
        function.node_def[-1].input.extend(["size:output:0", "value:output:0"])
    return graph_def


def test_a_network_of_pairs_for_many_rows_is_let_in() -> None:
    with tf.Graph().as_default() as graph:
        objects = tf.compat.v1.placeholder(tf.float32, [256, 100, 64])
        for _ in range(MANY):
            one = tf.broadcast_to(objects[:, :, None], PAIRS)
            other = tf.broadcast_to(objects[:, None], PAIRS)
            objects += tf.reduce_sum(tf.nn.relu(one - other), 2)
    vet_graph(graph.as_graph_def(), (), 0).check_none()


def test_what_waits_for_no_other_is_there_at_once_whatever_else_it_waits_for() -> None:
    graph_def = harmless()
    constant(graph_def, "size", GIGABYTE)
    for number in range(MANY):
        floats(add(graph_def, f"bad{number}", "BroadcastTo", "x", "size"))
    assert refused_at(graph_def) == ["bad4"]


def test_as_many_others_before_it_make_it_no_later() -> None:
    graph_def = graph_of("first", "second")
    for before in ("first", "second"):
        for number in range(3):
            filled(graph_def, f"{before}{number}", f"^{before}")
    assert refused_at(graph_def) == ["second1"]


def test_a_chain_is_let_in_however_long_it_is() -> None:
    graph_def = graph_of("made0")
    for number in range(1, 20_000):
        filled(graph_def, f"made{number}", f"^made{number - 1}")
    vet_graph(graph_def, (), 0).check_none()


def test_a_loop_in_the_graph_ends() -> None:
    graph_def = graph_of("made0")
    for number in range(1, MANY):
        filled(graph_def, f"made{number}", f"^made{number - 1}")
    graph_def.node[-MANY].input.append(f"^made{MANY - 1}")
    vet_graph(graph_def, (), 0).check_none()


def called(graph_def: Any) -> None:
    for number in range(MANY):
        call(graph_def, f"call{number}", f"f{number}")


def chosen_elsewhere(graph_def: Any) -> None:
    for function in graph_def.library.function:
        function.attr["api_implements"].s = b"f"


def gradients(graph_def: Any) -> None:
    for number in range(MANY):
        graph_def.library.gradient.add(function_name="negate", gradient_func=f"f{number}")


@pytest.mark.parametrize("change", [called, chosen_elsewhere, gradients])
def test_functions_count_if_they_may_run(change: Callable[[Any], None]) -> None:
    graph_def = in_functions(MANY)
    vet_graph(graph_def, (), 0).check_none()
    change(graph_def)
    assert refused_at(graph_def) == ["f4", "made"]


def cpu_s_of_asking(functions: int) -> float:
    """Whether that is too much which so many functions make; the least of some rounds."""
    names = [f"f{number}" for number in range(functions)]
    together = Together({name: {} for name in names}, ())
    for name in names:
        together.add(Place("made", name), MAX_ALL_MADE_BYTES)
    rounds = []
    for _ in range(5):
        begin_s = time.process_time()
        assert all(together.is_too_much() for _ in range(100))
        rounds.append(time.process_time() - begin_s)
    return min(rounds)


def test_how_many_functions_there_are_is_not_gone_through_for_each_node() -> None:
    assert cpu_s_of_asking(20_000) < 20 * cpu_s_of_asking(2)


def test_where_a_process_may_have_more_there_may_be_more_at_once() -> None:
    graph_def = graph_of(*(f"made{number}" for number in range(MANY)))
    assert refused_at(graph_def) == ["made4"]
    usual, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (MANY << 30, hard))
    try:
        vet_graph(graph_def, (), 0).check_none()
        filled(graph_def, "bad")
        with pytest.raises(CannotServe, match=f"that is more than {MANY << 30} bytes"):
            vet_graph(graph_def, (), 0)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (usual, hard))
