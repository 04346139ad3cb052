"""Which function calls which: in what order to look at them, and how large all of it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfaas_backends.runtimes.vetting.place import Place

MAX_CALL_DEPTH = 64
MAX_EXPANDED_NODES = 5_000_000
"""Once each call is replaced by the body of what it calls, as TensorFlow may do."""


def callees_first(calls: Mapping[str, Sequence[str]], own_nodes: Mapping[str, int]) -> list[str]:
    """The functions, each behind all that it calls.

    ``calls``: for each function, and for the graph, whose name is empty, what its nodes name, as
    often as they do. ``own_nodes``: how many nodes each has. Raises CannotServe if a function
    calls itself, if calls are nested too deep, or if they make too many nodes.
    """
    order: list[str] = []
    depth: dict[str, int] = {}
    expanded: dict[str, int] = {}
    for start in calls:
        for name in _walk(start, calls, depth):
            depth[name] = 1 + max((depth[callee] for callee in calls[name]), default=0)
            nodes = own_nodes[name] + sum(expanded[callee] for callee in calls[name])
            expanded[name] = min(nodes, MAX_EXPANDED_NODES + 1)
            _check(name, depth[name], nodes)
            order.append(name)
    return [name for name in order if name]


def _walk(start: str, calls: Mapping[str, Sequence[str]], done: Mapping[str, int]) -> list[str]:
    """``start`` and what it calls, without what is ``done``: callees before their callers."""
    found: list[str] = []
    open_: dict[str, bool] = {}
    stack = [start]
    while stack:
        name = stack[-1]
        if name in done or open_.get(name) is False:
            stack.pop()
        elif name in open_:
            stack.pop()
            open_[name] = False
            found.append(name)
        else:
            open_[name] = True
            for callee in calls[name]:
                if open_.get(callee):
                    raise Place(function=callee).refusal("calls itself, again and again")
                if callee not in done and callee not in open_:
                    stack.append(callee)
    return found


def _check(name: str, depth: int, nodes: int) -> None:
    place = Place(function=name)
    if depth > MAX_CALL_DEPTH + 1:
        raise place.refusal(f"calls functions that call others, more than {MAX_CALL_DEPTH} deep")
    if nodes > MAX_EXPANDED_NODES:
        raise place.refusal(
            f"becomes more than {MAX_EXPANDED_NODES} nodes once its calls are replaced by what"
            " they call"
        )
