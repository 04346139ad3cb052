"""GraphFile: the one file of a model that holds its graph."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from pathlib import Path

import msgspec

from tfaas_core.errors import NotFound
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import number_of
from tfaas_core.route import Request, Response
from tfaas_core.storage import removed
from tfaas_core.streams import in_threads

_FROZEN = "graph"
_SAVED_MODEL = "saved_model"
_SAVED_MODEL_FILE = "saved_model.pb"
_PIECE_BYTES = 1 << 18


class GraphFile:
    """Handlers over one Host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def answer(self, request: Request) -> Response:
        """``GET /models/NAME/graph.pb``, or that of a version: a GraphDef or a SavedModel's file.

        Raises UnknownModel and UnknownVersion, NotFound for models of other runtimes, and what
        ``Storage.artifact`` does.
        """
        fields = request.path_fields
        number = number_of(fields["version"]) if "version" in fields else None
        version = self._host.catalog.get(fields["name"], number)
        if version.runtime not in (_FROZEN, _SAVED_MODEL):
            raise NotFound(
                f"{version.reference} is loaded by the runtime {version.runtime!r}; only frozen "
                "graphs and SavedModels have a graph to show"
            )
        file = await asyncio.to_thread(self._file, version)
        return Response(
            media_type="application/octet-stream",
            headers={"Content-Length": str(file.size_bytes), "Cache-Control": "no-store"},
            stream=in_threads(_pieces(file.path, version)),
        )

    def _file(self, version: ModelVersion) -> _File:
        path = self._host.storage.artifact(version)
        if version.runtime == _SAVED_MODEL:
            path /= _SAVED_MODEL_FILE
        try:
            return _File(path, path.stat().st_size)
        except FileNotFoundError:
            raise NotFound(f"{version.reference} has no {_SAVED_MODEL_FILE} to show") from None


class _File(msgspec.Struct, frozen=True):
    """A file that never changes, since a version does not."""

    path: Path
    size_bytes: int


def _pieces(path: Path, version: ModelVersion) -> Generator[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise removed(version) from None
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
