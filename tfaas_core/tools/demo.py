"""The demo models: stored at start-up if ``tfaas serve --demo`` asks for them."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import shutil
from pathlib import Path
from typing import Any

from tfaas_core.errors import TfaasError
from tfaas_core.files.archives import archive_at
from tfaas_core.host import Host
from tfaas_core.storage import MODEL
from tfaas_core.uploads.form import FormFile
from tfaas_core.uploads.package import Received
from tfaas_core.uploads.upload import Upload

_MODELS = "tfaas_backends.demo"
"""By name, as the built-in plugins are: the core imports none."""


async def publish_demo(host: Host) -> list[str]:
    """Stores the demo models that are not there yet; returns a line for each of them."""
    names = {model.name for model in host.catalog.list()}
    lines = []
    for model in importlib.import_module(_MODELS).demo_models():
        try:
            if model.name not in names:
                await _publish(host, model)
            lines.append(f"The demo model {model.name!r} is ready: {model.description}")
        # The others can be served all the same: a runtime may be disabled.
        except TfaasError as error:
            lines.append(f"The demo model {model.name!r} cannot be stored: {error.message}")
    return lines


async def _publish(host: Host, model: Any) -> None:
    async with Upload.begun(host.publisher) as upload:
        await upload.claim(model.name)
        await upload.publish(await asyncio.to_thread(_received, model, upload.staging))


def _received(model: Any, staging: Path) -> Received:
    params = None if model.params is None else _copy(model.params, staging / "params.json")
    return Received(model=_copy(model.model, staging / MODEL), params=params)


def _copy(source: Path, target: Path) -> FormFile:
    shutil.copyfile(source, target)
    content = target.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    return FormFile(target, source.name, len(content), sha256, archive_at(target))
