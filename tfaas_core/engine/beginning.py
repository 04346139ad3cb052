"""Beginning: runs whose answers are not waited for, but told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array
from tfaas_core.visit import Timing


class Awaiting(Protocol):
    """Who is told of an answer, once: an asyncio.Future, or what does as much in less time.

    It must not raise.
    """

    def done(self) -> bool:
        """Whether it was told, or does not want to be told any longer."""
        ...

    def set_result(self, result: list[Array], /) -> Any: ...

    def set_exception(self, exception: Exception, /) -> Any: ...


class AwaitingRows(Awaiting, Protocol):
    """Who is told in which rows of a run's outputs the answer is, and takes it out itself."""

    def set_rows(self, outputs: list[Array], start: int, end: int, /) -> Any:
        """In the place of ``set_result``. ``outputs`` are the same list for all of a run."""
        ...


class BeginsRuns(ABC):
    """What an engine has that can begin a run without a future."""

    @abstractmethod
    def begin(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        awaiting: AwaitingRows,
        timing: Timing | None = None,
    ) -> bool:
        """As ``Engine.run``, if the version is loaded, of rows that may share a run.

        ``inputs`` may be Levels. ``awaiting`` is told later. False, and nothing is done, if the
        version would have to be loaded. Raises QueueFull and ModelLost at once.
        """
