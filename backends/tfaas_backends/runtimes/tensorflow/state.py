"""Whether a run of a graph remembers, or draws random numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from tfaas_backends.runtimes.tensorflow.private import op_def_registry
from tfaas_backends.runtimes.tensorflow.pruning import called

_CALLS = ("PartitionedCall", "StatefulPartitionedCall", "If", "While", "Case", "For", "RemoteCall")
"""Ops that are as stateful as the functions that they call, whatever their own definition says."""

_HARMLESS = re.compile(
    r"(Placeholder|TensorArray|Stack|Assert|Print|CheckNumerics).*|_?Var\w+Op|Variable(V2|Shape)?"
    r"|_?ReadVariables?Op|IsVariableInitialized|DisableCopyOnRead|ResourceGather(Nd)?"
    r"|(Anonymous|Mutable)?(Dense)?HashTable(OfTensors)?(V2)?|LookupTable(Find|Size|Export)(V2)?"
    r"|Ref(Identity|Switch|Merge|Select|Enter|Exit|NextIteration)"
)
"""Ops that may count as stateful, but keep nothing from one run to the next: they only read."""

_IN_PLACE = re.compile(r"Inplace\w+")
"""Ops that do not count as stateful, but write into what they are given: a variable's value, or a
constant, which the next run finds changed."""


def stateful_functions(graph_def: Any) -> frozenset[str]:
    """The names of the graph's functions that are stateful, or call one that is."""
    bodies = {f.signature.name: f.node_def for f in graph_def.library.function}
    calls = {name: set(chain.from_iterable(map(called, body))) for name, body in bodies.items()}
    more = {name for name, body in bodies.items() if any(keeps_state(n.op) for n in body)}
    found: set[str] = set()
    while more:
        found |= more
        more = {name for name in calls if name not in found and calls[name] & found}
    return frozenset(found)


def is_stateful(operations: Iterable[Any], functions: frozenset[str]) -> bool:
    """Whether one of the operations is stateful; ``functions``: the functions that are."""
    return any(
        keeps_state(op.type, op.op_def) or not functions.isdisjoint(_called_by(op))
        for op in operations
    )


def keeps_state(type_: str, op_def: Any = None) -> bool:
    """Whether an op of this type remembers or draws; ``op_def``: its definition, if at hand."""
    if type_ in _CALLS or _HARMLESS.fullmatch(type_):
        return False
    if _IN_PLACE.fullmatch(type_):
        return True
    op_def = op_def or op_def_registry.get(type_)
    if op_def is None:
        return False
    return bool(op_def.is_stateful or any(argument.is_ref for argument in op_def.input_arg))


def _called_by(op: Any) -> Iterator[str]:
    yield op.type
    for attr in op.op_def.attr:
        if attr.type == "func":
            yield op.get_attr(attr.name).name
        elif attr.type == "list(func)":
            yield from (function.name for function in op.get_attr(attr.name))
