"""The engine of a host at rest: it runs nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import NoReturn

from tfaas_core.engine.base import Candidate, Engine, Loaded, ServableStatus
from tfaas_core.errors import Unavailable
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array
from tfaas_core.visit import Timing


class RestingEngine(Engine):
    """Holds no model. If one would have to be loaded or run, it raises Unavailable."""

    async def start(self) -> None:
        _refuse()

    async def close(self) -> None:
        """Has nothing to close."""

    async def prepare(self, candidate: Candidate) -> Loaded:
        _refuse()

    async def run_prepared(
        self,
        ticket: int,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
    ) -> list[Array]:
        _refuse()

    async def adopt(self, ticket: int, version: ModelVersion) -> None:
        _refuse()

    def discard(self, ticket: int) -> None:
        """Has prepared nothing."""

    def run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
        timing: Timing | None = None,
        any_shape: bool = False,
    ) -> Awaitable[list[Array]]:
        _refuse()

    async def ready(self, version: ModelVersion) -> bool:
        _refuse()

    def uses(self, version: ModelVersion) -> bool:
        return False

    async def servables(self) -> list[ServableStatus]:
        return []

    def retire(self, version: ModelVersion) -> None:
        """Has loaded nothing."""


def _refuse() -> NoReturn:
    raise Unavailable("the server is not started: no model is loaded, and none runs")
