"""What fuzzing compares the vetting with finds an op wherever it is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tfaas_backends.runtimes.vetting.op_lists import ALLOWED_OPS

from tests.backends.runtimes.vetting.graphs import READ, add, call, harmless
from tests.fuzz.walk import check_names


def deep_in_attributes(graph_def: Any) -> None:
    inner = call(graph_def, "z", "negate").attr["f"].func.attr["g"].func
    inner.name = "negate"
    inner.attr["h"].list.func.add(name=READ)


def in_a_function(graph_def: Any) -> None:
    graph_def.library.function[0].node_def.add(name="r", op=READ)


def as_a_default(graph_def: Any) -> None:
    signature = graph_def.library.function[0].signature
    signature.attr.add(name="a", type="func").default_value.func.name = READ


def as_a_gradient(graph_def: Any) -> None:
    graph_def.library.gradient.add(function_name="negate", gradient_func=READ)


def without_an_op(graph_def: Any) -> None:
    add(graph_def, "empty", "")


def test_a_harmless_graph_passes() -> None:
    check_names(harmless(), ALLOWED_OPS)


@pytest.mark.parametrize(
    "change",
    [
        lambda graph_def: add(graph_def, "r", READ),
        *(deep_in_attributes, in_a_function, as_a_default, as_a_gradient, without_an_op),
    ],
)
def test_what_is_not_on_the_list_is_found(change: Callable[[Any], Any]) -> None:
    graph_def = harmless()
    change(graph_def)
    with pytest.raises(AssertionError, match="let in"):
        check_names(graph_def, ALLOWED_OPS)
