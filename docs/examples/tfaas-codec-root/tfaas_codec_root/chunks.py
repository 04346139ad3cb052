"""Chunks of a file that cannot be read again and again."""

from __future__ import annotations

from typing import Any

from uproot.source.chunk import Chunk
from uproot.source.futures import TrivialFuture

_BYTES_OF_A_READ = 4
_FEW_READS = 1000
_LONGEST_NAME_BYTES = 1000


class CountedChunk(Chunk):  # type: ignore[misc]
    """Raises ValueError if it is read more often than a chunk of its length needs.

    What describes a tree says of its parts where they end. If it lies, uproot reads the same bytes
    as several parts, each of these with parts in it, and so on.
    """

    def __init__(self, chunk: Chunk) -> None:
        data = chunk.raw_data
        super().__init__(chunk.source, chunk.start, chunk.start + len(data), TrivialFuture(data))
        self._reads_left = len(data) // _BYTES_OF_A_READ + _FEW_READS

    def get(self, *arguments: Any) -> Any:
        self._reads_left -= 1
        if self._reads_left < 0:
            raise ValueError("its parts are in each other")
        return super().get(*arguments)

    def remainder(self, start: int, *arguments: Any) -> Any:
        """What is asked for the name of a class: such names are short."""
        return self.get(start, max(start, min(start + _LONGEST_NAME_BYTES, self.stop)), *arguments)
