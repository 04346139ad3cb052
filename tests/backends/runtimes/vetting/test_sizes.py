"""What is known of sizes that come out of calls: of which output, and of none that is not there."""

from __future__ import annotations

from typing import Any

import pytest
from tfaas_backends.runtimes.tensorflow.private import tensor_util
from tfaas_backends.runtimes.vetting import sizes
from tfaas_backends.runtimes.vetting.graph_vetting import vet_graph

from tests.backends.runtimes.vetting.graphs import add, call, constant, harmless, v1
from tfaas_core.errors import CannotServe


def calling() -> Any:
    """A graph that calls a function with a constant."""
    graph_def = harmless()
    constant(graph_def, "one", 1.0)
    call(graph_def, "call", "negate").input.append("one")
    return graph_def


NO_OUTPUTS = ["call:x", "call:-3", "call:1", "call:", f"call:{'9' * 5000}"]


@pytest.mark.parametrize("reference", NO_OUTPUTS, ids=[each[:8] for each in NO_OUTPUTS])
def test_an_output_that_no_call_has_is_for_tensorflow_to_refuse(reference: str) -> None:
    graph_def = calling()
    add(graph_def, "sum", "Add", reference, "one")
    vet_graph(graph_def, (), 0).check_none()


def test_a_function_that_does_not_say_what_it_gives_stays_as_it_is() -> None:
    graph_def = calling()
    add(graph_def, "sum", "Add", "call", "one")
    del graph_def.library.function[0].ret["b"]
    before = graph_def.SerializeToString(deterministic=True)
    vet_graph(graph_def, (), 0).check_none()
    assert graph_def.SerializeToString(deterministic=True) == before


def test_which_output_of_a_call_is_meant_is_told_by_its_number_whatever_names_are_there() -> None:
    graph_def, pair, outer = harmless(), v1.GraphDef(), v1.GraphDef()
    constant(pair, "big", [1 << 30])
    constant(pair, "small", [1])
    define(graph_def, "pair", pair, size="big:output:0", output="small:output:0")
    constant(outer, "one", 1.0)
    add(outer, "call", "PartitionedCall").attr["f"].func.name = "pair"
    add(outer, "bad", "Fill", "call:output:0", "one:output:0")
    define(graph_def, "outer", outer)
    with pytest.raises(CannotServe) as refused:
        vet_graph(graph_def, (), 0)
    assert refused.value.details["path"] == ["outer", "bad"]


def test_what_no_machine_could_count_is_refused_too() -> None:
    graph_def, count = harmless(), 1 << 22
    for name, dims in {"a": [count, 1, 1], "b": [1, count, 1], "c": [1, 1, count]}.items():
        constant(graph_def, f"dims_{name}", dims)
        constant(graph_def, f"value_{name}", name != "a", bool)
        add(graph_def, name, "Fill", f"dims_{name}", f"value_{name}")
    # At this, TensorFlow would end the process.
    add(graph_def, "bad", "SelectV2", "a", "b", "c")
    with pytest.raises(CannotServe, match=f"to make {count**3} elements"):
        vet_graph(graph_def, (), 0)


def test_a_constant_is_read_once_however_often_its_function_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph_def, body, read = harmless(), v1.GraphDef(), list[str]()
    made = tensor_util.MakeNdarray

    def make(tensor: Any) -> Any:
        read.append(str(tensor))
        return made(tensor)

    monkeypatch.setattr(tensor_util, "MakeNdarray", make)
    constant(body, "one", 1.0)
    define(graph_def, "f", body, size="one:output:0")
    constant(graph_def, "two", 2.0)
    for number in range(9):
        add(graph_def, f"call{number}", "f")
        add(graph_def, f"sum{number}", "Add", f"call{number}", "two")
    vet_graph(graph_def, (), 0).check_none()
    assert len(read) == 2


def test_what_functions_give_counts_among_what_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    graph_def, body = harmless(), v1.GraphDef()
    constant(body, "big", [1 << 30])
    many = {f"size{number}": "big:output:0" for number in range(99)}
    define(graph_def, "f", body, **many)
    add(graph_def, "call", "f")
    constant(graph_def, "one", 1.0)
    add(graph_def, "bad", "Fill", "call", "one")
    with pytest.raises(CannotServe, match="'Fill'"):
        vet_graph(graph_def, (), 0)
    monkeypatch.setattr(sizes, "MAX_FOLLOWED_INPUTS", 50)
    vet_graph(graph_def, (), 0).check_none()


def define(graph_def: Any, name: str, body: Any, **results: str) -> None:
    """Adds a function of these nodes."""
    function = graph_def.library.function.add()
    function.signature.name = name
    function.node_def.extend(body.node)
    for result, reference in results.items():
        function.signature.output_arg.add(name=result)
        function.ret[result] = reference
