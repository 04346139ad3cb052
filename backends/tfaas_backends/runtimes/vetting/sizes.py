"""Sizes: what the nodes of a graph make of constants, also in the functions that it calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from tfaas_backends.runtimes.vetting.arithmetic import Values
from tfaas_backends.runtimes.vetting.constants import INTERLEAVERS, MAKERS, Made, check_threads
from tfaas_backends.runtimes.vetting.file_ops import Body
from tfaas_backends.runtimes.vetting.folding import Folding, Outputs
from tfaas_backends.runtimes.vetting.place import Place
from tfaas_backends.runtimes.vetting.shapes import PRODUCTS

MAX_TURNS = 100
"""Of a loop; what it makes later is not known."""

MAX_FOLLOWED_INPUTS = 200_000
"""Of nodes of functions, and results of these, each time that one is called with what is known."""

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_BRANCHES = ("If", "StatelessIf")
_LOOPS = ("While", "StatelessWhile")

SIZED = frozenset({*MAKERS, *PRODUCTS, *INTERLEAVERS, *_CALLS, *_BRANCHES, *_LOOPS})
"""Ops whose nodes make something, or call what may."""

_Frame: TypeAlias = tuple[Body, Folding]
"""A function, and what is known of its nodes in a call."""


def check_sizes(
    bodies: Mapping[str, Body], sized: Mapping[str, Sequence[Any]], run: Collection[str]
) -> None:
    """Raises CannotServe if nodes make too much of constants alone.

    ``bodies``: the graph, whose name is empty, and its functions, none of which calls itself.
    ``sized``: of each, the nodes of ``SIZED``, and those whose op is a function. ``run``: those
    that may run; a tool may leave functions behind that nothing calls.
    """
    _Sizes(bodies, sized, run).check()


class _Sizes:
    def __init__(
        self,
        bodies: Mapping[str, Body],
        sized: Mapping[str, Sequence[Any]],
        run: Collection[str],
    ) -> None:
        self._bodies = bodies
        self._sized = sized
        self._calls = _Calls(bodies)
        self._made = Made({name: bodies[name].nodes for name in run})
        self._seen: set[Any] = set()

    def check(self) -> None:
        for body in self._bodies.values():
            self._check(body, Folding(body.nodes, self._calls))

    def _check(self, body: Body, folding: Folding) -> None:
        for node in self._sized[body.name]:
            place = Place(node.name, body.name)
            if node.op in MAKERS:
                self._made.add(node, folding, place)
            elif node.op in PRODUCTS:
                self._made.check_product(node, folding, place)
            elif node.op in INTERLEAVERS:
                check_threads(node, folding, place)
            else:
                self._follow(node, folding.inputs(node))

    def _follow(self, node: Any, given: Values) -> None:
        """Checks what a node calls, with what is known of that."""
        for name, arguments in self._calls.of(node, given):
            if all(value is None for value in arguments):
                continue  # as it is checked anyhow
            call = name, *map(_key, arguments)
            frame = None if call in self._seen else self._calls.frame(name, arguments)
            if frame is not None and self._calls.spend(*self._sized[name]):
                self._seen.add(call)
                self._check(*frame)


def _key(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return value


class _Calls:
    """Follows calls of ``functions``: what they are called with, and what they give."""

    def __init__(self, functions: Mapping[str, Body]) -> None:
        self._functions = functions
        self._left = MAX_FOLLOWED_INPUTS
        self._constants: dict[str, dict[str, Any]] = defaultdict(dict)

    def spend(self, *nodes: Any) -> bool:
        self._left -= sum(1 + len(node.input) for node in nodes)
        return self._left >= 0

    def is_call(self, node: Any) -> bool:
        op = node.op
        return op in _CALLS or op in _LOOPS or op in _BRANCHES or op in self._functions

    def frame(self, name: str, arguments: Values) -> _Frame | None:
        """A call of a function; None if there is none that takes so much, or no time."""
        body = self._functions.get(name) if name else None
        if body is None or len(body.arguments) != len(arguments):
            return None
        self._left -= len(body.results)
        if self._left < 0:
            return None
        named = dict(zip(body.arguments, arguments, strict=True))
        return body, Folding(body.nodes, self, named, self._constants[name])

    def of(self, node: Any, given: Values) -> Iterator[tuple[str, Values]]:
        """The functions that a node calls, or may call, each with its arguments."""
        if node.op in _LOOPS:
            condition, body = _named(node, "cond"), _named(node, "body")
            for values, goes_on in self._turns(node, given):
                yield condition, values
                if goes_on is not False:
                    yield body, values
        elif node.op in _BRANCHES:
            for name in self._branches(node, given):
                yield name, given[1:]
        else:
            yield (node.op if node.op in self._functions else _named(node, "f")), given

    def outputs(self, node: Any, given: Values) -> Outputs | None:
        if node.op in _LOOPS:
            for values, goes_on in self._turns(node, given):
                if goes_on is False:
                    return Outputs(values)
            return None
        calls = [*self.of(node, given)]
        results = self._results(*calls[0]) if len(calls) == 1 else None
        # An op of TensorFlow's has names of its own for what it gives.
        by_name = self._functions[node.op].results if node.op in self._functions else {}
        return None if results is None else Outputs(results, by_name)

    def _results(self, name: str, given: Values) -> Values | None:
        if (frame := self.frame(name, given)) is None:
            return None
        body, folding = frame
        # Asked otherwise, a map of protocol buffers takes up the name.
        references = [body.function.ret.get(result, "") for result in body.results]
        return [folding.value(reference) for reference in references]

    def _turns(self, node: Any, given: Values) -> Iterator[tuple[Values, bool | None]]:
        """What each turn of a loop begins with, and whether it goes on; None: nobody knows.

        Those that are known: the last one is over, or what comes of it is not known.
        """
        values: Values | None = given
        for _ in range(MAX_TURNS):
            if values is None:
                return
            goes_on = _truth(self._results(_named(node, "cond"), values))
            yield values, goes_on
            if not goes_on:
                return
            values = self._results(_named(node, "body"), values)

    def _branches(self, node: Any, given: Values) -> list[str]:
        chosen = _truth(given[:1])
        names = {True: "then_branch", False: "else_branch"}
        return [_named(node, name) for which, name in names.items() if chosen in (which, None)]


def _named(node: Any, attribute: str) -> str:
    """The function of this attribute; asking for one that is not there would add it."""
    return str(node.attr[attribute].func.name) if attribute in node.attr else ""


def _truth(values: Values | None) -> bool | None:
    """That of the only one of ``values``, a number; None if it is not known."""
    if not values or not isinstance(values[0], np.ndarray) or values[0].ndim:
        return None
    return bool(values[0])
