"""What hosts serve, as each tells at its door."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tfaas_core.config import Config
from tfaas_core.engine.base import ServableStatus, WorkerContext
from tfaas_core.engine.in_front.remote_engine import RemoteEngine
from tfaas_core.engine.remote import any_door
from tfaas_core.errors import StorageUnavailable
from tfaas_core.models.model import ModelVersion


async def served_by(config: Config, addresses: Sequence[str]) -> list[ServableStatus]:
    """The models of those hosts that answer in time, each with its host."""
    door = any_door(config)
    doors = [msgspec.structs.replace(door, address=address) for address in addresses]
    engine = RemoteEngine(WorkerContext(config, {}, 1, 0, None, _no_artifact), doors)
    try:
        await engine.start()
        return await engine.servables(door.dead_after_s)
    finally:
        await engine.close()


def _no_artifact(version: ModelVersion) -> Path:
    raise StorageUnavailable(f"{version.reference} is not looked for here", model=version.name)
