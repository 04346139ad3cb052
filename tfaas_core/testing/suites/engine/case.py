"""What all parts of Engine's contract stand on."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from tfaas_core.engine.base import EngineFactory
from tfaas_core.testing.engine_harness import Harness, started
from tfaas_core.testing.suites.time_limited import TimeLimited
from tfaas_core.testing.waiting import eventually


class EngineCase(TimeLimited):
    """An engine to test: the class variables say which, and who subclasses it counts."""

    limit_s = 600.0

    make_factory: ClassVar[Callable[[], EngineFactory]]

    settings: ClassVar[Sequence[str]] = ()
    """Of the configuration, as ``--set`` takes them."""

    loop_factory: ClassVar[Callable[[], asyncio.AbstractEventLoop] | None] = None
    """Makes the event loop of each test; None: asyncio's own."""

    workers_share: ClassVar[bool] = True
    """Whether HTTP workers use one loaded model, or load one each."""

    def count_loaded(self) -> int:
        """How many models are loaded, or being loaded: their processes or threads, counted."""
        raise NotImplementedError

    def count_descriptors(self) -> int:
        """How many files are open in the processes that stay when models go."""
        # Looks after processes that have ended, of which multiprocessing keeps descriptors.
        multiprocessing.active_children()
        return len(os.listdir("/proc/self/fd"))

    def engine(
        self, folder: Path, *settings: str, workers: int = 1
    ) -> AbstractAsyncContextManager[Harness]:
        """A started engine with one HTTP worker; at the end of the block it is closed."""
        return started(type(self).make_factory(), folder, [*self.settings, *settings], workers)

    async def until_loaded(self, count: int) -> None:
        """Returns once ``count`` models are loaded."""
        await eventually(lambda: self.count_loaded() == count, f"{count} models are loaded")

    @pytest.fixture(autouse=True)
    def _nothing_stays_loaded(self) -> Iterator[None]:
        yield
        asyncio.run(self.until_loaded(0))


@contextmanager
def away(*artifacts: Path) -> Iterator[None]:
    """Takes artifacts away for as long as the block lasts."""
    hidden = [artifact.rename(artifact.with_name(f".{artifact.name}")) for artifact in artifacts]
    yield
    for artifact, elsewhere in zip(artifacts, hidden, strict=True):
        elsewhere.rename(artifact)
