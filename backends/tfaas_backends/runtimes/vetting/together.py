"""Together: what nodes make of constants, added up as far as it may have to be there at once."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Container, Mapping
from typing import Any

from tfaas_backends.runtimes.tensorflow.pruning import node_of
from tfaas_backends.runtimes.vetting.place import Place

MAX_ALL_MADE_BYTES = 4 << 30
"""Of all that is there at once; more, if the process that runs the graph may have more."""


class Together:
    """Adds up what nodes of ``bodies`` make, each of one of the ``ops``.

    A node that waits for another one runs later, and what that made may be gone by then. So of each
    body, only nodes that wait for as many others, one behind the other, count together: those that
    make the most. All bodies may run at once. Who waits for whom is looked at if there is much.
    """

    def __init__(self, bodies: Mapping[str, Mapping[str, Any]], ops: Container[str]) -> None:
        self._levels = {name: _Levels(nodes, ops) for name, nodes in bodies.items()}
        self._sizes: dict[Place, int] = {}
        self._all_bytes = 0
        self._at: Counter[tuple[str, int]] | None = None
        self._most: Counter[str] = Counter()
        self._most_of_all = 0
        self.most_bytes = _most_bytes()

    def add(self, place: Place, size: int) -> None:
        """What a node makes, the most of all times, if its body may run."""
        more = size - self._sizes.get(place, 0)
        if more <= 0 or place.function not in self._levels:
            return
        self._sizes[place] = size
        self._all_bytes += more
        if self._at is not None:
            self._count(self._at, place, more)
        elif self._all_bytes > self.most_bytes:
            self._at = Counter()
            for each, made in self._sizes.items():
                self._count(self._at, each, made)

    def is_too_much(self) -> bool:
        """Whether more than ``most_bytes`` may be there at once."""
        return self._most_of_all > self.most_bytes

    def _count(self, at: Counter[tuple[str, int]], place: Place, more: int) -> None:
        function = place.function
        level = function, self._levels[function].of(place.node)
        at[level] += more
        higher = max(0, at[level] - self._most[function])
        self._most[function] += higher
        self._most_of_all += higher


class _Levels:
    """For how many nodes of the ``ops``, one behind the other, each of ``nodes`` waits."""

    def __init__(self, nodes: Mapping[str, Any], ops: Container[str]) -> None:
        self._nodes = nodes
        self._ops = ops
        self._found: dict[str, int] = {}

    def of(self, name: str) -> int:
        """Itself included. It calls itself for no other node: there may be a million in a row."""
        waiting, begun = [name], set[str]()
        while waiting:
            name = waiting[-1]
            if name in self._found or name not in self._nodes:
                waiting.pop()
                continue
            node = self._nodes[name]
            inputs = [*map(node_of, node.input)]
            # What has begun, and is not found, is a loop that comes back here.
            left = [each for each in inputs if each not in self._found and each not in begun]
            left = [each for each in left if name not in begun and each in self._nodes]
            begun.add(name)
            waiting += left
            if not left:
                before = max((self._found.get(each, 0) for each in inputs), default=0)
                self._found[name] = before + (node.op in self._ops)
        return self._found.get(name, 0)


def _most_bytes() -> int:
    """What may be there at once in this process, in which the graph is to run."""
    most, _hard = resource.getrlimit(resource.RLIMIT_DATA)
    return MAX_ALL_MADE_BYTES if most == resource.RLIM_INFINITY else max(MAX_ALL_MADE_BYTES, most)
