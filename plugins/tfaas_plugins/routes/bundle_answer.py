"""The answer that is a version's bundle, packed while it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator

from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Response
from tfaas_core.uploads.bundle import pack
from tfaas_core.uploads.package import entries_of


async def bundle_of(host: Host, version: ModelVersion, filename: str) -> Response:
    """A gzipped tarball that can be uploaded again. Raises what ``Storage.artifact`` does."""
    artifact = await asyncio.to_thread(host.storage.artifact, version)
    entries = await asyncio.to_thread(entries_of, version, artifact, host.publisher.runtime_choice)
    return Response(
        media_type="application/gzip",
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
        stream=_in_threads(pack(entries)),
    )


async def _in_threads(pieces: Generator[bytes]) -> AsyncIterator[bytes]:
    """Takes each step of a blocking generator in a thread; at the end, closes it."""
    step: asyncio.Future[bytes | None] | None = None
    try:
        while True:
            step = asyncio.ensure_future(asyncio.to_thread(next, pieces, None))
            piece = await asyncio.shield(step)
            if piece is None:
                return
            yield piece
    finally:
        if step is not None:
            # A generator cannot be closed in the middle of a step.
            await asyncio.wait([step])
        pieces.close()
