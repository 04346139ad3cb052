"""Place: where in a graph something was found, as messages name it; and how it is refused there."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tfaas_core.errors import CannotServe


class Place(msgspec.Struct, frozen=True):
    """A node of the graph, or of ``function``; or no node, but the function or graph itself.

    ``attributes``: the way to a function that is named in an attribute of an attribute.
    """

    node: str = ""
    function: str = ""
    attributes: tuple[str, ...] = ()

    def within(self, attribute: str) -> Place:
        """The place of what this attribute holds."""
        return Place(self.node, self.function, (*self.attributes, attribute))

    def __str__(self) -> str:
        return " of ".join(self._parts()) or "the graph"

    def _parts(self) -> Iterator[str]:
        if self.attributes:
            yield f"attribute {' > '.join(self.attributes)!r}"
        if self.node:
            yield f"node {self.node!r}"
        if self.function:
            yield f"function {self.function!r}"

    def path(self) -> list[str]:
        """From the outermost to the innermost: function, node, attributes."""
        return [part for part in (self.function, self.node, *self.attributes) if part]

    def refusal(self, what: str, op: str = "") -> CannotServe:
        """The answer to an upload whose graph has ``what``, a clause, at this place."""
        named = {name: value for name, value in (("op", op), ("node", self.node)) if value}
        return CannotServe(f"{self} {what}", path=self.path(), **named)
