"""Accelerating: has the pool look for a faster engine for what was loaded, and asks what runs."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Any

from tfaas_core.engine.base import WorkerContext
from tfaas_core.engine.shared.acceleration import packed_examples
from tfaas_core.engine.shared.acceleration_messages import Accelerate, AskAcceleration, Runs
from tfaas_core.engine.shared.messages import (
    ToWorker,
)
from tfaas_core.engine.shared.mode import USUAL
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions
from tfaas_core.system.links.link import Link
from tfaas_core.system.loop.tasks import Tasks

_ASK_LIMIT_S = 2.0
"""The parent may be stopped; what a model is, is known without it."""

_log = logging.getLogger("tfaas.engine")


class Accelerating:
    """Begins nothing unless accelerators are wanted. It belongs to the event loop."""

    def __init__(self, context: WorkerContext, link: Link[ToWorker]) -> None:
        engine = context.config.engine
        self._is_on = LoadOptions.of(engine).accelerate
        self._has_modes = engine.isolation == "model"
        self._mode = engine.mode
        self._context = context
        self._link = link
        self._tasks = Tasks(_log)

    def begin(self, version: ModelVersion, path: Path | None = None) -> None:
        """``version`` was just loaded, from ``path``; None: from where it was before it was stored.

        Returns at once; what goes wrong is logged.
        """
        if self._is_on:
            self._tasks.spawn(self._accelerate(version.chosen, path))

    async def told(self, version: ModelVersion) -> dict[str, Any]:
        """As ``Engine.acceleration``."""
        if (told := await self._asked(version)) is None:
            return {}
        found = {"name": told.engine, "reason": told.reason} if self._is_on else {}
        is_chosen = self._has_modes and (Params.of(version.params).mode or self._mode) != USUAL
        return _said(found | self._how(version, told, is_chosen))

    async def how_told(self, version: ModelVersion) -> dict[str, Any]:
        """The same without its name, if it is loaded; the pool knows whether a mode was chosen."""
        told = await self._asked(version)
        if told is None or not told.mode:
            return {}
        return _said(self._how(version, told, is_chosen=bool(told.mode_reason)))

    def _how(self, version: ModelVersion, told: Runs, is_chosen: bool) -> dict[str, Any]:
        found: dict[str, Any] = {"threads": told.threads, "executor": told.executor}
        found["shared_rows"] = told.shared_rows
        if is_chosen:
            return {"mode": told.mode, "mode_reason": told.mode_reason} | found
        runtime = self._context.runtimes.get(version.runtime)
        return {"mode": told.mode} | found if runtime and runtime.modes else found

    async def _asked(self, version: ModelVersion) -> Runs | None:
        try:
            async with asyncio.timeout(_ASK_LIMIT_S):
                told: Runs = await self._link.ask(partial(AskAcceleration, key=version.key))
                return told
        except (TimeoutError, TfaasError):
            return None

    async def close(self) -> None:
        await self._tasks.cancel()

    async def _accelerate(self, version: ModelVersion, path: Path | None) -> None:
        try:
            self._link.send(await asyncio.to_thread(self._wish, version, path))
        except (TfaasError, OSError) as error:  # it was removed meanwhile, say
            _log.info("%s is not accelerated: %s", version.reference, error)

    def _wish(self, version: ModelVersion, path: Path | None) -> Accelerate:
        found = path or self._context.artifact(version)
        examples = packed_examples(self._context.examples(version))
        return Accelerate(version.key, str(found), version.checksum, examples)


def _said(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if value}
