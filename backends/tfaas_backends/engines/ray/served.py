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


class Served(msgspec.Struct, frozen=True):
    """``models``: of those hosts that answer in time. ``whys``: of those that do not, or are
    about to end, a sentence."""

    models: list[ServableStatus]
    whys: dict[str, str]


async def served_by(config: Config, addresses: Sequence[str]) -> Served:
    """What these hosts say."""
    door = msgspec.structs.replace(any_door(config), named_by="of Ray")
    doors = [msgspec.structs.replace(door, address=address) for address in addresses]
    engine = RemoteEngine(WorkerContext(config, {}, 1, 0, None, _no_artifact), doors)
    try:
        await engine.start()
        models = await engine.servables()
        return Served(models, {each.host: each.why for each in engine.hosts() if each.why})
    finally:
        await engine.close()


def _no_artifact(version: ModelVersion) -> Path:
    raise StorageUnavailable(f"{version.reference} is not looked for here", model=version.name)
