"""The handlers of ``/v2``: they adapt the protocol's requests to the internal one."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial

import msgspec

from tfaas_core import __version__
from tfaas_core.errors import BadBody, NotFound, TfaasError, Unavailable
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.inference import InferenceRequest
from tfaas_core.predict.predictor import Target
from tfaas_core.route import Request, Response, admit, json_response
from tfaas_core.tensors import Array, BatchAxis, Bound
from tfaas_core.visit import Visit
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.answers import answered
from tfaas_plugins.protocols.bodies import MOST_UNPACKED_BYTES, compressed, unpacked
from tfaas_plugins.protocols.handlers import Handlers
from tfaas_plugins.protocols.json_text import NotJson, read
from tfaas_plugins.protocols.oip.accept import best_encoding
from tfaas_plugins.protocols.oip.answers import JSON_LENGTH, infer_answer
from tfaas_plugins.protocols.oip.fields import read_fields
from tfaas_plugins.protocols.oip.metadata import log_settings, model_metadata
from tfaas_plugins.protocols.oip.paths import Asked, read_path
from tfaas_plugins.protocols.oip.raw_input import raw_input
from tfaas_plugins.protocols.oip.requests import (
    InferBody,
    WantedOutput,
    arrays_of,
    infer_body,
)
from tfaas_plugins.protocols.oip.statistics import Statistics

_EXTENSIONS = ("binary_tensor_data", "classification", "statistics", "parameters")
_CONTROL = ("model_repository",)


class InferenceApi(Handlers):
    """``get``: health, metadata and statistics of a model. ``post``: inference."""

    codec = "oip"

    def __init__(self, host: Host, statistics: Statistics, is_controlled: bool) -> None:
        """``is_controlled``: whether models may be loaded and unloaded."""
        super().__init__(host)
        self._statistics = statistics
        self._is_controlled = is_controlled

    def _asked(self, request: Request) -> Asked:
        return read_path(request.method, self.path(request))

    # What there is.

    async def _get(self, request: Request) -> Response:
        asked = self._asked(request)
        if asked.target is not None:
            return await self._of_model(request, asked.what, asked.target)
        if asked.what == "live":
            return json_response({"live": True})
        if asked.what == "ready":
            if reason := self.host.fitness().why_not_ready:
                raise Unavailable(f"not ready: {reason}")
            return json_response({"ready": True})
        control = _CONTROL if self._is_controlled else ()
        extensions = sorted((*_EXTENSIONS, *control))
        return json_response({"name": "tfaas", "version": __version__, "extensions": extensions})

    async def _of_model(self, request: Request, what: str, target: Target) -> Response:
        await admit(request, target.model)
        version = self.version(target)
        if what == "ready":
            self.check_is_loaded(target.model)
            return json_response({"name": version.name, "ready": True})
        versions = self.host.catalog.model(target.model).versions
        if what == "stats":
            return self._stats(versions if target.version is None else [version])
        return json_response(model_metadata(version.signed(None), versions))

    async def models(self, request: Request) -> Response:
        """``GET``: the names of all models."""
        return await answered(self._models(request))

    async def _models(self, request: Request) -> Response:
        return json_response({"models": [model.name for model in await self.seen(request)]})

    async def stats(self, request: Request) -> Response:
        """``GET``: the statistics of all models."""
        return await answered(self._all_stats(request))

    async def _all_stats(self, request: Request) -> Response:
        seen = await self.seen(request)
        return self._stats([version for model in seen for version in model.versions])

    async def logging(self, request: Request) -> Response:
        """``GET``: what is logged."""
        return json_response(log_settings(self.host.config.server.log_level))

    def _stats(self, versions: Iterable[ModelVersion]) -> Response:
        counted = [self._statistics.document(version) for version in versions]
        return json_response({"model_stats": counted})

    def unknown(self, target: Target) -> TfaasError:
        version = "" if target.version is None else f" version {target.version}"
        return NotFound(f"Request for unknown model: {target.model[:140]!r}{version} is not found")

    # Inference.

    async def _post(self, request: Request) -> Response:
        begin_s, asked = time.monotonic(), self._asked(request)
        assert asked.target is not None  # all else that is posted has routes of its own
        # It is told how long the run took, whether anybody else asks or not.
        visit = request.visit = request.visit or Visit(begin_s=begin_s)
        visit.codec = self.codec
        most_bytes = min(self.host.config.server.max_body_bytes, MOST_UNPACKED_BYTES)
        async with unpacked(self.host, request, most_bytes) as content:
            body = await self.read(request, self._body, request, content)
            signature = body.signature if isinstance(body, InferBody) else None
            target = msgspec.structs.replace(asked.target, signature=signature)
            version = await self.resolved(request, target)
            try:
                response = await self._inferred(request, visit, body, target, version, begin_s)
            except TfaasError:
                self._statistics.failed(version, begin_s)
                raise
        return await self._encoded(request, response)

    async def _encoded(self, request: Request, response: Response) -> Response:
        """Compressed, if the client asks for that."""
        encoding = best_encoding(request.headers.get("accept-encoding", ""))
        if not encoding:
            return response
        content = await self.host.predictor.in_thread(compressed, response.body, encoding)
        headers = {**response.headers, "Content-Encoding": encoding}
        return msgspec.structs.replace(response, body=content, headers=headers)

    async def _inferred(
        self,
        request: Request,
        visit: Visit,
        body: InferBody | bytes,
        target: Target,
        version: ModelVersion,
        begin_s: float,
    ) -> Response:
        def bind(version: ModelVersion) -> tuple[InferBody, dict[str, Array]]:
            allowance = Allowance(self.host.config.limits)
            if isinstance(body, bytes):
                return raw_input(body, version, allowance)
            return body, arrays_of(body, version, allowance)

        resolve = partial(self.resolved, request, target)
        version, (told, arrays) = await self.bound(request, version, resolve, bind)
        wanted = _wanted(told, version)
        names = None if told.outputs is None else [each.name for each in wanted]
        bound = _bound(version, arrays)
        asked = InferenceRequest(version, bound, names, told.timeout_s, told.id or "", visit)
        run_s = time.monotonic()
        result = await self.host.infer(asked)
        asking = result, wanted, told.id, version.labels, Allowance(self.host.config.limits)
        response = await self.written(result.outputs, infer_answer, *asking)
        self._statistics.succeeded(version, visit, bound.rows, begin_s, run_s)
        return response

    def _body(self, request: Request, body: bytes) -> InferBody | bytes:
        """The request whose ``body`` was unpacked; if it is raw, all of its bytes."""
        config, head = self.host.config, request.head
        length = _json_length(head.headers.get(JSON_LENGTH.lower()), len(body))
        if length == 0 and body:
            return body
        view = memoryview(body)
        text = body if length is None else bytes(view[:length])
        try:
            document = read(text, config.limits, read_fields)
        except NotJson as error:
            raise BadBody(
                f"failed to parse the request JSON buffer: {error.message} at {error.offset}"
            ) from None
        return infer_body(document, view[len(text) :])


def _json_length(text: str | None, body_bytes: int) -> int | None:
    """How many bytes of a body are JSON; None: all. Raises BadBody."""
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal():
        raise BadBody(f"Unable to parse {JSON_LENGTH}, got: {text[:40]}")
    if len(text) > 18 or int(text) > body_bytes:
        raise BadBody(
            f"inference header size should be in range (0, {body_bytes}), got: {text[:40]}"
        )
    return int(text)


def _wanted(body: InferBody, version: ModelVersion) -> list[WantedOutput]:
    if body.outputs is not None:
        return list(body.outputs)
    return [WantedOutput(spec.name, body.binary) for spec in version.signature.outputs]


def _bound(version: ModelVersion, arrays: dict[str, Array]) -> Bound:
    rows = 1
    if version.signature.batch is not BatchAxis.NONE:
        rows = max((len(array) for array in arrays.values() if array.ndim), default=1)
    native = {name: _native(array) for name, array in arrays.items()}
    return Bound(native, rows, single=False)


def _native(array: Array) -> Array:
    """In the machine's byte order: the same array, unless that is not little-endian."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
