"""Interprets one body: applies rules to its nodes until nothing changes any more."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.program import Body
from tfaas_backends.runtimes.independence.values import DEAD, Dead, Mixed, Mixes, Value, joined

Values = tuple[Value, ...]
Apply = Callable[[str, Node, Sequence[Value], bool], Values]
"""What is known of the outputs of a node of this full name, from what is known of its inputs;

whether no node that it waits for is dead, comes last."""
MERGE = "Merge"


class Trace:
    """One body, interpreted for what is fed: applies rules until nothing changes any more."""

    def __init__(self, body: Body, fed: Values, apply: Apply) -> None:
        self.body = body
        self._apply = apply
        self._fed = fed
        self._values: list[Values | None] = [None] * len(body.nodes)
        self._again: list[int] = []
        self._queued: set[int] = set()

    def complete(self) -> None:
        for place in range(len(self.body.nodes)):
            if self._update(place):
                self._revisit(user for user in self.body.users[place] if user <= place)
        while self._again:
            place = heapq.heappop(self._again)
            self._queued.discard(place)
            if self._update(place):
                self._revisit(self.body.users[place])

    def results(self) -> Values:
        return tuple(self.value(edge.node, edge.port) for edge in self.body.results)

    def value(self, place: int, port: int) -> Value:
        """What is known of an output of a node; of what is fed, at the place -1."""
        if place < 0:
            return self._fed[port]
        values = self._values[place]
        return DEAD if values is None else values[port]

    def _revisit(self, places: Iterable[int]) -> None:
        for place in places:
            if place not in self._queued:
                self._queued.add(place)
                heapq.heappush(self._again, place)

    def _update(self, place: int) -> bool:
        """Whether what is known of the node's outputs has changed."""
        node = self.body.nodes[place]
        inputs = [self.value(edge.node, edge.port) for edge in node.inputs]
        controls = [self._values[control] for control in node.controls]
        alive = not any(values is None or _is_dead(values) for values in controls)
        values = self._apply(self.where(node), node, inputs, alive)[: node.ports]
        if len(values) < node.ports:
            values = (Mixed(self.where(node), node.op, "gives more than is known of"),) * node.ports
        branch = _branch(node, inputs, controls)
        if branch is not None:
            values = tuple(value if type(value) is Dead else branch for value in values)
        old = self._values[place]
        if old is not None and node.op == MERGE:
            values = tuple(self._widened(node, *pair) for pair in zip(old, values, strict=True))
        if old is not None and all(map(_as_before, old, values)):
            return False
        self._values[place] = values
        return True

    def where(self, node: Node) -> str:
        return f"{self.body.name}/{node.name}" if self.body.name else node.name

    def _widened(self, node: Node, old: Value, new: Value) -> Value:
        try:
            return joined(old, new)
        except Mixes as mixing:
            return Mixed(self.where(node), node.op, str(mixing))


def _branch(node: Node, inputs: Sequence[Value], controls: Sequence[Values | None]) -> Mixed | None:
    """What tells that it depends on the rows whether this node is computed at all."""
    waited = chain.from_iterable(values for values in controls if values is not None)
    for value in chain(() if node.op == MERGE else inputs, waited):
        if type(value) is Mixed and value.branch:
            return value
    return None


def _is_dead(values: Values) -> bool:
    return all(type(value) is Dead for value in values)


def _as_before(old: Value, new: Value) -> bool:
    if type(old) is Mixed and type(new) is Mixed:
        # Whoever was the first to mix is told.
        return (old.branch, old.single, old.least) == (new.branch, new.single, new.least)
    return old == new
