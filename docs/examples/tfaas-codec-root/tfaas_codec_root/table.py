"""Table: a TTree or an RNTuple of which the names were read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from difflib import get_close_matches

import msgspec
import numpy as np

from tfaas_codec_root.damage import listed, quoted
from tfaas_core.errors import DoesNotFit
from tfaas_core.tensors import Array


class Column(msgspec.Struct, frozen=True):
    """What a branch, or a field, has for each entry.

    ``values``: numbers, or booleans, [elements, numbers of an element], in the order of entries.
    ``counts``: how many elements each entry has, int64 [entries]; None: one. Raises ValueError if
    they are not those that there are.
    """

    values: Array
    counts: Array | None = None

    def __post_init__(self) -> None:
        counts, elements = self.counts, len(self.values)
        if counts is None or not len(counts):
            return
        # Without the second, their sum might be one that has overflowed.
        if counts.min() < 0 or counts.max() > elements or counts.sum() != elements:
            raise ValueError("its lists are not as long as it says")

    @property
    def width(self) -> int:
        """The numbers of an element."""
        return int(self.values.shape[1])

    def common_count(self, place: str) -> int:
        """How many elements all entries have; raises DoesNotFit if they have not as many."""
        counts = self.counts
        if counts is None or not len(counts):
            return 1
        if (counts != counts[0]).any():
            row = int(np.argmax(counts != counts[0]))
            raise DoesNotFit(
                f"row {row}, {place} has {counts[row]} elements, row 0 has {counts[0]}; "
                '"root": {"pad": ...} in the params says how they become equally long'
            )
        return int(counts[0])


class Table(ABC):
    """``kind`` is what messages call it, ``names`` are those of its branches in their order."""

    kind: str
    name: str
    rows: int
    names: dict[str, object]

    @property
    @abstractmethod
    def counters(self) -> set[str]:
        """The branches that are there because others have as many elements as they say."""

    @abstractmethod
    def read(self, name: str) -> Column:
        """One of ``names``; raises DoesNotFit if it has no numbers, BadBody and TooLarge."""

    def missing(self, name: str, model: str) -> DoesNotFit:
        """The error for a branch that a model takes, and nobody sent."""
        near = get_close_matches(name, list(self.names), n=3)
        hint = f"there is {listed(near)}" if near else f"there are {listed(list(self.names))}"
        return DoesNotFit(
            f"branch {quoted(name)} is missing in {self.kind} {quoted(self.name)}, model {model!r} "
            f"takes it; {hint if self.names else 'there are none'}",
            model=model,
        )

    def unread(self, name: str, what: str) -> DoesNotFit:
        """The error for a branch that has no numbers."""
        return DoesNotFit(
            f"branch {quoted(name)} of {self.kind} {quoted(self.name)} is {what}; send numbers or "
            "booleans, one for each entry, arrays or std::vectors of them"
        )
