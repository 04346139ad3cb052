"""The calls of ``inference.GRPCInferenceService``: they adapt its messages to the internal ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from tfaas_core.errors import BadBody, Forbidden, TfaasError, TooLarge
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.early_binding import LARGE_BODY_BYTES
from tfaas_core.predict.target import Target
from tfaas_core.route import admit
from tfaas_core.service import Call, Method, Service
from tfaas_core.tensors import Array
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.codecs.values.usual import MOST_ARRAY_BYTES
from tfaas_plugins.protocols.oip.infer.requests import InferBody
from tfaas_plugins.protocols.oip.inference import Writer, held
from tfaas_plugins.protocols.oip.messages import (
    answer_in_stream,
    answer_message,
    infer_id,
    infer_message,
    is_read_at_once,
    message_template,
    parsed,
    tensor_at_end,
)
from tfaas_plugins.protocols.oip.models.control import check_parameters
from tfaas_plugins.protocols.oip.models.metadata import log_settings
from tfaas_plugins.protocols.oip.parts import Parts
from tfaas_plugins.protocols.prepared import PreparedMessages
from tfaas_plugins.protocols.private_pool import files_of, message_class

NAME = "inference.GRPCInferenceService"

_ENDS_STREAMS = "triton_grpc_error"
_DIGITS = 19
_MOST_BYTES = 1 << 16
"""Of a message that holds no tensors."""


_ANSWER = Writer(answer_message, message_template)
_IN_STREAM = Writer(answer_in_stream, lambda *_: None)


class UnknownRepository(TfaasError):
    """A repository is named, and there is one alone, without a name."""

    status = 501
    code = "unknown_repository"


class InferenceCalls:
    """Methods over one Host, of the same parts as its paths."""

    def __init__(self, host: Host, parts: Parts) -> None:
        self._host = host
        self._models = parts.models
        self._facts = parts.facts
        self._inference = parts.inference
        self._repository = parts.repository
        self._prepared = PreparedMessages()

    def service(self) -> Service:
        """All that is served; what is not there is UNIMPLEMENTED."""
        methods = {
            "ServerLive": Method(self._server_live, public=True),
            "ServerReady": Method(self._server_ready, public=True),
            "ModelReady": Method(self._model_ready),
            "ServerMetadata": Method(self._server_metadata),
            "ModelMetadata": Method(self._model_metadata),
            "ModelConfig": Method(self._model_config),
            "ModelStatistics": Method(self._model_statistics),
            "ModelInfer": Method(self._model_infer),
            "ModelStreamInfer": Method(self._streamed, streams=True, refused=_in_stream),
            "RepositoryIndex": Method(self._index, right="read"),
            "RepositoryModelLoad": Method(self._load, right="admin"),
            "RepositoryModelUnload": Method(self._unload, right="admin"),
            "LogSettings": Method(self._log_settings, right="read"),
        }
        return Service(NAME, methods, files_of(NAME))

    # What there is.

    async def _server_live(self, call: Call) -> bytes:
        return _written("ServerLiveResponse", {"live": True})

    async def _server_ready(self, call: Call) -> bytes:
        return _written("ServerReadyResponse", {"ready": not self._facts.why_not_ready})

    async def _model_ready(self, call: Call) -> bytes:
        target = _named(_asked(call, "ModelReadyRequest"))
        ready = await self._facts.is_ready(call, target)
        return _written("ModelReadyResponse", {"ready": ready})

    async def _server_metadata(self, call: Call) -> bytes:
        return _written("ServerMetadataResponse", self._facts.server())

    async def _model_metadata(self, call: Call) -> bytes:
        target = _named(_asked(call, "ModelMetadataRequest"))
        return _written("ModelMetadataResponse", await self._facts.metadata(call, target))

    async def _model_config(self, call: Call) -> bytes:
        target = _named(_asked(call, "ModelConfigRequest"))
        config = await self._facts.config(call, target)
        return _written("ModelConfigResponse", {"config": config})

    async def _model_statistics(self, call: Call) -> bytes:
        asked = _asked(call, "ModelStatisticsRequest")
        if asked.name:
            found = await self._facts.statistics(call, _named(asked))
        else:
            found = await self._facts.all_statistics(call)
        return _written("ModelStatisticsResponse", found)

    async def _log_settings(self, call: Call) -> bytes:
        if _asked(call, "LogSettingsRequest").settings:
            raise Forbidden("log settings are not changed by the protocol; see server.log_level")
        settings = log_settings(self._host.config.server.log_level)
        return _written("LogSettingsResponse", {"settings": _settings(settings)})

    # Inference.

    async def _model_infer(self, call: Call) -> bytes:
        body = call.body
        prepared = self._prepared.of(body)
        if prepared is None:
            return await self._inferred(call, _ANSWER, self._keep)
        visit, is_large = self._inference.begin(call), len(body) > MOST_ARRAY_BYTES
        read = partial(self._read_late, body)
        return await self._inference.answer(
            call, visit, prepared.target, read, _ANSWER, is_large, call.left_s, prepared
        )

    async def _streamed(self, call: Call) -> bytes:
        return await self._inferred(call, _IN_STREAM)

    async def _inferred(
        self,
        call: Call,
        writer: Writer[bytes],
        keep: Callable[[bytes, Target, InferBody], None] | None = None,
    ) -> bytes:
        visit, limits = self._inference.begin(call), self._host.config.limits
        if is_large := not is_read_at_once(call.body):
            found = await self._models.in_thread(infer_message, call.body, limits)
        else:
            found = infer_message(call.body, limits)
            is_large = found.body.string_bytes > LARGE_BODY_BYTES
        target = _target(found.model, found.version, found.body.signature)
        if keep is not None:
            keep(call.body, target, found.body)
        return await self._inference.answer(
            call, visit, target, held(found.body), writer, is_large, call.left_s
        )

    def _read_late(
        self, message: bytes, version: ModelVersion, allowance: Allowance
    ) -> tuple[InferBody, dict[str, Array]]:
        """What a message asks that is prepared, and so names what it always does."""
        return held(infer_message(message, self._host.config.limits).body)(version, allowance)

    def _keep(self, message: bytes, target: Target, body: InferBody) -> None:
        """Takes note of a request, if it is one that comes again."""
        if (name := tensor_at_end(message, body)) is not None:
            self._prepared.keep(message, len(body.tails[0]), target, name)

    # The repository.

    async def _index(self, call: Call) -> bytes:
        asked = _asked(call, "RepositoryIndexRequest")
        _check_repository(asked)
        entries = await self._repository.entries(call, asked.ready)
        return _written("RepositoryIndexResponse", {"models": entries})

    async def _load(self, call: Call) -> bytes:
        return await self._changed(call, "Load", self._repository.load_model)

    async def _unload(self, call: Call) -> bytes:
        return await self._changed(call, "Unload", self._repository.unload_model)

    async def _changed(
        self, call: Call, what: str, change: Callable[[str], Awaitable[None]]
    ) -> bytes:
        asked = _asked(call, f"RepositoryModel{what}Request")
        _check_repository(asked)
        await admit(call, asked.model_name)
        self._repository.check_allowed()
        check_parameters(asked.parameters)
        await change(asked.model_name)
        return b""


def _kind(name: str) -> Any:
    return message_class(f"inference.{name}")


def _asked(call: Call, name: str) -> Any:
    if len(call.body) > _MOST_BYTES:
        raise TooLarge(f"a {name} has {_MOST_BYTES} bytes at most", expected=_MOST_BYTES)
    return parsed(_kind(name), call.body)


def _written(name: str, document: Mapping[str, Any]) -> bytes:
    return bytes(_kind(name)(**document).SerializeToString())


def _target(model: str, version: str, signature: str | None = None) -> Target:
    """Raises BadBody for a version that is no number."""
    if not version:
        return Target(model, signature=signature)
    if not version.isascii() or not version.isdecimal() or len(version) > _DIGITS:
        raise BadBody(f"a version is a number, not {version[:40]!r}")
    return Target(model, int(version), signature=signature)


def _named(asked: Any) -> Target:
    return _target(asked.name, asked.version)


def _check_repository(asked: Any) -> None:
    if asked.repository_name:
        raise UnknownRepository("'repository_name' specification is not supported")


def _settings(found: Mapping[str, bool | int | str]) -> dict[str, Any]:
    """Log settings, each in the field of its type."""
    kinds = {bool: "bool_param", int: "uint32_param", str: "string_param"}
    return {key: {kinds[type(value)]: value} for key, value in found.items()}


def _in_stream(call: Call, sentence: str) -> bytes | None:
    """The answer to a message that is refused, which repeats its id, if that can be read."""
    if call.headers.get(_ENDS_STREAMS, "").lower() == "true":
        return None
    try:
        answered = {"id": infer_id(call.body)}
    except BadBody:
        answered = {}
    refused = {"error_message": sentence, "infer_response": answered}
    return _written("ModelStreamInferResponse", refused)
