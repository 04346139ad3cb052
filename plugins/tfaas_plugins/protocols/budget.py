"""Budget: how many objects a message may become."""

from __future__ import annotations

from tfaas_core.errors import TooLarge


class Budget:
    """What is left of ``limits.max_values``: strings, examples and fields take one each.

    Numbers of a list that is packed, as all libraries write them, are one field.
    """

    __slots__ = ("_most", "left")

    def __init__(self, most: int) -> None:
        self._most = most
        self.left = most

    def take(self, count: int = 1) -> None:
        """Raises TooLarge if there are not so many left."""
        self.left -= count
        if self.left < 0:
            raise TooLarge(
                f"the message has more than {self._most} strings and fields "
                "(limits.max_values); send fewer at a time, and numbers packed",
                expected=self._most,
            )
