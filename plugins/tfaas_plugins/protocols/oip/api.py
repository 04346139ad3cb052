"""The handlers of ``/v2``: they adapt the protocol's requests to the internal one."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from tfaas_core import __version__
from tfaas_core.errors import BadBody, NotFound, TfaasError, Unavailable, UnknownModel
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.inference import InferenceRequest
from tfaas_core.predict.predictor import LARGE_BODY_BYTES, Target
from tfaas_core.route import Request, Response, admit, json_response, visible_models
from tfaas_core.tensors import Array, BatchAxis, Bound
from tfaas_core.visit import Visit
from tfaas_plugins.protocols.answers import answered
from tfaas_plugins.protocols.bodies import MOST_UNPACKED_BYTES, compressed, unpacked
from tfaas_plugins.protocols.json_text import NotJson, read
from tfaas_plugins.protocols.oip.accept import best_encoding
from tfaas_plugins.protocols.oip.answers import JSON_LENGTH, infer_answer
from tfaas_plugins.protocols.oip.control import RepositoryApi
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
from tfaas_plugins.protocols.unloaded import UnloadedModels

_KIND = "oip"
"""What logs and observers call it; its large bodies have threads of their own."""

_EXTENSIONS = ("binary_tensor_data", "classification", "statistics", "parameters")
_CONTROL = ("model_repository",)


class InferenceApi:
    """Handlers over one Host."""

    def __init__(
        self,
        host: Host,
        unloaded: UnloadedModels,
        statistics: Statistics,
        repository: RepositoryApi,
    ) -> None:
        self._host = host
        self._unloaded = unloaded
        self._statistics = statistics
        self._repository = repository
        self._base_characters = len(host.config.server.base)

    async def get(self, request: Request) -> Response:
        """``GET``: health, metadata and statistics."""
        return await answered(self._get(request))

    async def post(self, request: Request) -> Response:
        """``POST``: inference, and the index of the repository."""
        return await answered(self._post(request))

    def _asked(self, request: Request) -> Asked:
        head = request.head
        return read_path(head.method, head.raw_path[self._base_characters :])

    # What there is.

    async def _get(self, request: Request) -> Response:
        asked = self._asked(request)
        if asked.target is not None:
            return await self._of_model(request, asked.what, asked.target)
        if asked.what == "live":
            return json_response({"live": True})
        if asked.what == "ready":
            if reason := self._host.fitness().why_not_ready:
                raise Unavailable(f"not ready: {reason}")
            return json_response({"ready": True})
        if asked.what == "logging":
            return json_response(log_settings(self._host.config.server.log_level))
        if asked.what == "server":
            control = _CONTROL if self._repository.is_allowed else ()
            extensions = sorted((*_EXTENSIONS, *control))
            return json_response(
                {"name": "tfaas", "version": __version__, "extensions": extensions}
            )
        models = self._host.catalog.list()
        visible = await visible_models(request, [model.name for model in models])
        seen = [model for model in models if model.name in visible]
        if asked.what == "models":
            return json_response({"models": [model.name for model in seen]})
        return self._stats([version for model in seen for version in model.versions])

    async def _of_model(self, request: Request, what: str, target: Target) -> Response:
        await admit(request, target.model)
        version = self._version(target)
        if what == "ready":
            self._unloaded.check(target.model)
            return json_response({"name": version.name, "ready": True})
        versions = self._host.catalog.model(target.model).versions
        if what == "stats":
            return self._stats(versions if target.version is None else [version])
        return json_response(model_metadata(version.signed(None), versions))

    def _stats(self, versions: Any) -> Response:
        counted = [self._statistics.document(version) for version in versions]
        return json_response({"model_stats": counted})

    def _version(self, target: Target) -> ModelVersion:
        try:
            return self._host.catalog.get(target.model, target.version)
        except UnknownModel:
            raise _unknown(target) from None

    # Inference.

    async def _post(self, request: Request) -> Response:
        asked = self._asked(request)
        if asked.target is None:
            return await self._repository.index(request)
        begin_s = time.monotonic()
        # It is told how long the run took, whether anybody else asks or not.
        visit = request.visit = request.visit or Visit(begin_s=begin_s)
        visit.codec = _KIND
        most_bytes = min(self._host.config.server.max_body_bytes, MOST_UNPACKED_BYTES)
        async with unpacked(self._host, request, most_bytes) as content:
            body = await self._in_thread(request, self._read, request, content)
            signature = body.signature if isinstance(body, InferBody) else None
            version = await self._resolved(request, asked.target, signature)
            try:
                response = await self._inferred(request, body, version, visit, begin_s)
            except TfaasError:
                self._statistics.failed(version, begin_s)
                raise
        return await self._encoded(request, response)

    async def _encoded(self, request: Request, response: Response) -> Response:
        """Compressed, if the client asks for that."""
        encoding = best_encoding(request.headers.get("accept-encoding", ""))
        if not encoding:
            return response
        content = await self._host.predictor.in_thread(
            compressed, response.body, encoding, kind=_KIND
        )
        headers = {**response.headers, "Content-Encoding": encoding}
        return msgspec.structs.replace(response, body=content, headers=headers)

    async def _resolved(
        self, request: Request, target: Target, signature: str | None
    ) -> ModelVersion:
        target = msgspec.structs.replace(target, signature=signature)
        try:
            version = await self._host.resolve(request, target)
        except UnknownModel:
            raise _unknown(target) from None
        self._unloaded.check(version.name)
        return version

    async def _inferred(
        self,
        request: Request,
        body: InferBody | bytes,
        version: ModelVersion,
        visit: Visit,
        begin_s: float,
    ) -> Response:
        if isinstance(body, bytes):
            body, arrays = raw_input(body, version)
        else:
            arrays = await self._in_thread(request, arrays_of, body, version)
        wanted = _wanted(body, version)
        names = None if body.outputs is None else [each.name for each in wanted]
        bound = _bound(version, arrays)
        asked = InferenceRequest(version, bound, names, body.timeout_s, body.id or "", visit)
        run_s = time.monotonic()
        result = await self._host.infer(asked)
        size = sum(array.nbytes for array in result.outputs.values())
        work = result, wanted, body.id, version.labels
        if size > LARGE_BODY_BYTES:
            response = await self._host.predictor.in_thread(infer_answer, *work, kind=_KIND)
        else:
            response = infer_answer(*work)
        self._statistics.succeeded(version, visit, bound.rows, begin_s, run_s)
        return response

    async def _in_thread(self, request: Request, work: Any, *arguments: Any) -> Any:
        """``work(*arguments)``, in a thread if the body is large."""
        if len(request.body) > LARGE_BODY_BYTES or request.head.content_encoding:
            return await self._host.predictor.in_thread(work, *arguments, kind=_KIND)
        return work(*arguments)

    def _read(self, request: Request, body: bytes) -> InferBody | bytes:
        """The request whose ``body`` was unpacked; if it is raw, all of its bytes."""
        config, head = self._host.config, request.head
        length = _json_length(head.headers.get(JSON_LENGTH.lower()), len(body))
        if length == 0 and body:
            return body
        view = memoryview(body)
        text = body if length is None else bytes(view[:length])
        try:
            document = read(text, config.limits)
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


def _unknown(target: Target) -> NotFound:
    version = "" if target.version is None else f" version {target.version}"
    return NotFound(f"Request for unknown model: {target.model[:140]!r}{version} is not found")
