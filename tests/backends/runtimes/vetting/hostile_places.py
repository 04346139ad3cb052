"""Places where an op that no model may use was hidden."""

from __future__ import annotations

from typing import Any

from tests.backends.runtimes.vetting.graphs import READ, Hostile, add, add_function, call


def in_the_graph(graph_def: Any) -> None:
    add(graph_def, "bad", READ, "x")


def in_a_function(graph_def: Any) -> None:
    graph_def.library.function[0].node_def.add(name="bad", op=READ, input=["a"])


def in_a_function_that_nobody_calls(graph_def: Any) -> None:
    add_function(graph_def, "idle").node_def.add(name="bad", op=READ)


def as_a_function(graph_def: Any) -> None:
    call(graph_def, "bad", READ)


def in_a_func_of_a_func(graph_def: Any) -> None:
    node = call(graph_def, "bad", "negate")
    node.attr["f"].func.attr["g"].func.name = READ


def in_a_list_of_a_func(graph_def: Any) -> None:
    node = call(graph_def, "bad", "negate")
    node.attr["f"].func.attr["g"].list.func.add(name=READ)


def among_branches(graph_def: Any) -> None:
    node = add(graph_def, "bad", "StatelessCase")
    for name in ("negate", READ):
        node.attr["branches"].list.func.add(name=name)


def in_an_attribute_that_no_op_has(graph_def: Any) -> None:
    add(graph_def, "bad", "NoOp").attr["_hidden"].func.name = READ


def as_a_default(graph_def: Any) -> None:
    signature = add_function(graph_def, "idle").signature
    signature.attr.add(name="g", type="func").default_value.func.name = READ


def as_an_allowed_value(graph_def: Any) -> None:
    signature = add_function(graph_def, "idle").signature
    signature.attr.add(name="g", type="func").allowed_values.list.func.add(name=READ)


def in_an_attribute_of_a_function(graph_def: Any) -> None:
    add_function(graph_def, "idle").attr["g"].func.name = READ


def in_an_attribute_of_an_argument(graph_def: Any) -> None:
    add_function(graph_def, "idle").arg_attr[0].attr["g"].func.name = READ


def as_a_gradient(graph_def: Any) -> None:
    graph_def.library.gradient.add(function_name="negate", gradient_func=READ)


def as_what_a_gradient_is_of(graph_def: Any) -> None:
    graph_def.library.gradient.add(function_name=READ, gradient_func="negate")


def as_a_registered_gradient(graph_def: Any) -> None:
    graph_def.library.registered_gradients.add(registered_op_type="Mine", gradient_func=READ)


def as_a_symbolic_gradient(graph_def: Any) -> None:
    add(graph_def, "bad", "SymbolicGradient", "x").attr["f"].func.name = READ


def as_a_dataset_s_function(graph_def: Any) -> None:
    add(graph_def, "bad", "MapDataset").attr["f"].func.name = READ


def implementing_another(graph_def: Any) -> None:
    idle = add_function(graph_def, "idle")
    idle.node_def.add(name="bad", op=READ)
    for function in graph_def.library.function:
        function.attr["api_implements"].s = b"same"


PLACES = {
    "an op in the graph": Hostile(in_the_graph, ["bad"], READ),
    "in a function": Hostile(in_a_function, ["negate", "bad"], READ),
    "in an idle function": Hostile(in_a_function_that_nobody_calls, ["idle", "bad"], READ),
    "as a function": Hostile(as_a_function, ["bad", "f"], READ),
    "in a func of a func": Hostile(in_a_func_of_a_func, ["bad", "f", "g"], READ),
    "in a list of a func": Hostile(in_a_list_of_a_func, ["bad", "f", "g"], READ),
    "among branches": Hostile(among_branches, ["bad", "branches"], READ),
    "in no op's attribute": Hostile(in_an_attribute_that_no_op_has, ["bad", "_hidden"], READ),
    "as a default": Hostile(as_a_default, ["idle", "g"], READ),
    "as an allowed value": Hostile(as_an_allowed_value, ["idle", "g"], READ),
    "in a function's attribute": Hostile(in_an_attribute_of_a_function, ["idle", "g"], READ),
    "in an argument's attribute": Hostile(in_an_attribute_of_an_argument, ["idle", "g"], READ),
    "as a gradient": Hostile(as_a_gradient, ["negate", "gradient"], READ),
    "with a gradient": Hostile(as_what_a_gradient_is_of, [READ, "gradient"], READ),
    "as a registered gradient": Hostile(as_a_registered_gradient, ["Mine", "gradient"], READ),
    "as a symbolic gradient": Hostile(as_a_symbolic_gradient, ["bad", "f"], READ),
    "as a dataset's function": Hostile(as_a_dataset_s_function, ["bad", "f"], READ),
    "implementing another": Hostile(implementing_another, ["idle", "bad"], READ),
}
