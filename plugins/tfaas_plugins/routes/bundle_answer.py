"""The answer that is a version's bundle, packed while it is sent."""

from __future__ import annotations

import asyncio
import re

from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Response
from tfaas_core.streams import in_threads
from tfaas_core.uploads.bundle import pack
from tfaas_core.uploads.package import entries_of


async def bundle_of(host: Host, version: ModelVersion, filename: str) -> Response:
    """A gzipped tarball that can be uploaded again. Raises what ``Storage.artifact`` does."""
    artifact = await asyncio.to_thread(host.storage.artifact, version)
    entries = await asyncio.to_thread(entries_of, version, artifact, host.publisher.runtime_choice)
    return Response(
        media_type="application/gzip",
        headers={"Content-Disposition": f'attachment; filename="{_safe(filename)}"'},
        stream=in_threads(pack(entries)),
    )


def _safe(filename: str) -> str:
    """As it may stand between quotes, and be saved: a storage may know models by other names."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", filename)
