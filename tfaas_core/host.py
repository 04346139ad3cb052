"""Host: everything wired for one HTTP worker."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from tfaas_core.codec import Codec
from tfaas_core.composition import Composition
from tfaas_core.engine.base import Engine
from tfaas_core.engine.resting import RestingEngine
from tfaas_core.errors import StorageUnavailable, UnsupportedMediaType
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import number_of
from tfaas_core.plugins import Plugins, model_predict_paths, predict_paths
from tfaas_core.predict.catalog import Catalog
from tfaas_core.predict.example_runs import ExampleRuns
from tfaas_core.predict.predictor import Predictor, Target
from tfaas_core.route import Request, Response, Route
from tfaas_core.runtime import Runtime
from tfaas_core.status import ProcessStatus, ServerStatus
from tfaas_core.storage import Storage
from tfaas_core.uploads.bundle import BundleLimits
from tfaas_core.uploads.publisher import Publisher
from tfaas_core.worker_place import WorkerPlace

MODEL_HEADER = "TFaaS-Model"
"""The header of a prediction that tells which version it is of."""

_CURL_DEFAULT = "application/x-www-form-urlencoded"

_log = logging.getLogger("tfaas.host")


class Host:
    """Everything that one HTTP worker needs, whole from the beginning to the end.

    ``started`` makes one that serves, ``at_rest`` one of which nothing is started.
    """

    def __init__(self, composition: Composition, engine: Engine, place: WorkerPlace) -> None:
        config = self.config = composition.config
        self.plugins: Plugins = composition.plugins
        self.codecs: Mapping[str, Codec[Any]] = composition.codecs
        self.runtimes: Mapping[str, Runtime] = composition.runtimes
        self.storage: Storage = composition.storage
        self.engine = engine
        self.catalog = Catalog(self.storage, config.models.default, engine.retire, self._make_ready)
        self.predictor = Predictor(self.catalog, engine, config.engine.max_queue_rows)
        self.example_runs = ExampleRuns(engine, self.codecs, config.engine.max_queue_rows)
        self.publisher = Publisher(
            self.storage,
            engine,
            self.runtimes,
            place.announce or self.catalog.refresh,
            self.catalog.next_moment,
            config.models.keep_versions,
            BundleLimits(config.limits.max_unpacked_bytes, config.limits.max_bundle_files),
            self.example_runs,
        )
        self._look = place.look
        self._since_s = time.monotonic()

    @classmethod
    @asynccontextmanager
    async def started(
        cls, composition: Composition, place: WorkerPlace | None = None
    ) -> AsyncIterator[Host]:
        """A host that serves: its storage is open, its engine runs, and its models are known.

        At the end of the block, or where it cannot be started, all that was started is ended, the
        last first, whichever of it fails to. Raises ConfigError, StorageUnavailable, and what
        engines raise.
        """
        place = place or WorkerPlace()
        async with AsyncExitStack() as started:
            with _patient(place):
                await asyncio.to_thread(composition.storage.open)
            started.push_async_callback(asyncio.to_thread, composition.storage.close)
            engine = composition.engine(place)
            started.push_async_callback(engine.close)
            await engine.start()
            host = cls(composition, engine, place)
            started.callback(host.predictor.close)
            started.push_async_callback(host.catalog.close)
            with _patient(place):
                await host.catalog.load()
            yield host

    @classmethod
    def at_rest(cls, composition: Composition) -> Host:
        """A host that only tells its routes: its storage is closed, and its engine runs nothing."""
        return cls(composition, RestingEngine(), WorkerPlace())

    async def _make_ready(self, old: ModelVersion, new: ModelVersion) -> None:
        if self.engine.uses(old):
            await self.example_runs.ready(new)

    async def status(self) -> ServerStatus:
        """How the server is, as the parent knows it."""
        if self._look is not None:
            return await self._look()
        own = await asyncio.to_thread(ProcessStatus.of, "http_worker", os.getpid())
        return ServerStatus(round(time.monotonic() - self._since_s, 3), [own])

    def routes(self) -> list[Route]:
        """All that is served: what the codecs own, and what plugins register.

        Raises PluginError where two of them claim the same.
        """
        predict = [route for codec in self.codecs.values() for route in self._predict(codec)]
        return predict + self.plugins.routes(self)

    def _predict(self, codec: Codec[Any]) -> list[Route]:
        handler = partial(self._answer, codec)
        handler_at = partial(self._answer_at, codec)
        return [
            *(Route(at, ("POST",), handler, express=True) for at in predict_paths(codec.name)),
            *(Route(at, ("POST",), handler_at) for at in model_predict_paths(codec.name)),
        ]

    async def _answer_at(self, codec: Codec[Any], request: Request) -> Response:
        return await self._answer(codec, request, _target(request.path_fields))

    async def _answer(
        self, codec: Codec[Any], request: Request, target: Target | None = None
    ) -> Response:
        content_type = request.headers.get("content-type", "")
        _check_media_type(codec, content_type)
        _check_not_encoded(codec, request.headers.get("content-encoding", ""))
        prediction = await self.predictor.predict(codec, request.body, content_type, target)
        encoded, version = prediction.encoded, prediction.version
        return Response(
            encoded.body, media_type=encoded.media_type, headers={MODEL_HEADER: version.reference}
        )


@contextmanager
def _patient(place: WorkerPlace) -> Iterator[None]:
    """Goes on without the storage where a parent will tell when it is back."""
    try:
        yield
    except StorageUnavailable as error:
        if place.announce is None:
            raise
        _log.warning("the models cannot be read at the moment: %s", error.message)


def _target(fields: Mapping[str, str]) -> Target:
    version = fields.get("version")
    return Target(
        fields["name"], None if version is None else number_of(version), fields.get("label")
    )


def _check_media_type(codec: Codec[Any], content_type: str) -> None:
    """Accepts the codec's own types, none, and the one that ``curl -d`` sends unasked."""
    if content_type in codec.media_types:
        return
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in ("", _CURL_DEFAULT, *codec.media_types) or "*/*" in codec.media_types:
        return
    raise UnsupportedMediaType(
        f"/{codec.name} reads {' or '.join(codec.media_types)}, not {media_type[:140]}",
        expected=list(codec.media_types),
        got=media_type[:140],
    )


def _check_not_encoded(codec: Codec[Any], encoding: str) -> None:
    if encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(
            f"the Content-Encoding is {encoding[:40]!r}; send /{codec.name} the body as it is, "
            "without this header",
            got=encoding[:40],
        )
