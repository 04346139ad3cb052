"""The handlers of ``/v2``: they adapt the protocol's requests to the internal one."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from tfaas_core.errors import TfaasError, Unavailable
from tfaas_core.notes import noted
from tfaas_core.predict.compressed_answers import compressed_body
from tfaas_core.predict.compressed_bodies import MOST_UNPACKED_BYTES, unpacked_body
from tfaas_core.predict.target import Target
from tfaas_core.route import Head, Request, Response, json_response
from tfaas_core.visit import Visit
from tfaas_plugins.codecs.values.usual import MOST_ARRAY_BYTES
from tfaas_plugins.protocols.answers import answered, refused
from tfaas_plugins.protocols.handlers import READ, Handlers
from tfaas_plugins.protocols.oip.infer.accept import best_encoding
from tfaas_plugins.protocols.oip.infer.answers import JSON_LENGTH, infer_answer, infer_template
from tfaas_plugins.protocols.oip.infer.reader import InferHead, RequestReader, kept_bytes
from tfaas_plugins.protocols.oip.inference import Inference, Read, Writer
from tfaas_plugins.protocols.oip.models.facts import Facts
from tfaas_plugins.protocols.oip.models.metadata import log_settings
from tfaas_plugins.protocols.oip.models.models import OipModels
from tfaas_plugins.protocols.oip.paths import Asked, read_path

_WRITER = Writer(infer_answer, infer_template)


class InferenceApi(Handlers[OipModels]):
    """``get``: health, metadata and statistics of a model. ``post``: inference."""

    def __init__(self, models: OipModels, facts: Facts, inference: Inference) -> None:
        super().__init__(models)
        self._facts = facts
        self._inference = inference
        self._reader = RequestReader(self.host)
        self._read_head = self._infer_head

    def _asked(self, head: Head) -> Asked:
        return read_path(head.method, self.path(head))

    def _infer_head(self, head: Head) -> InferHead:
        target = self._asked(head).target
        assert target is not None  # all else that is posted has routes of its own
        encoding = best_encoding(head.headers.get("accept-encoding", ""))
        length = head.headers.get(JSON_LENGTH.lower())
        return InferHead(head.raw_path, target, length, encoding, kept_bytes(length))

    # What there is.

    async def _get(self, request: Request) -> Response:
        asked = self._asked(request.head)
        if asked.target is not None:
            return json_response(await self._of_model(request, asked.what, asked.target))
        if asked.what == "live":
            return json_response({"live": True})
        if asked.what == "ready":
            if reason := self._facts.why_not_ready:
                raise Unavailable(f"not ready: {reason}")
            return json_response({"ready": True})
        return json_response(self._facts.server())

    async def _of_model(self, request: Request, what: str, target: Target) -> dict[str, Any]:
        match what:
            case "ready":
                version = await self._facts.ready(request, target)
                return {"name": version.name, "ready": True}
            case "stats":
                return await self._facts.statistics(request, target)
            case "config":
                return await self._facts.config(request, target)
        return await self._facts.metadata(request, target)

    async def models(self, request: Request) -> Response:
        """``GET``: the names of all models."""
        return await answered(self._names(request))

    async def _names(self, request: Request) -> Response:
        return json_response({"models": await self._facts.names(request)})

    async def stats(self, request: Request) -> Response:
        """``GET``: the statistics of all models."""
        return await answered(self._stats(request))

    async def _stats(self, request: Request) -> Response:
        return json_response(await self._facts.all_statistics(request))

    async def logging(self, request: Request) -> Response:
        """``GET``: what is logged."""
        return json_response(log_settings(self.host.config.server.log_level))

    # Inference.

    async def post(self, request: Request) -> Response:
        """``POST``: inference."""
        try:
            head = noted(request.head, self._read_head)
            visit = self._inference.begin(request)
            body = request.body
            prepared = None
            if not request.head.content_encoding:
                prepared = self._reader.prepared(head, body)
            if prepared is not None:
                response = await self._inference.answer(
                    request,
                    visit,
                    prepared.target,
                    partial(self._reader.read_late, head, body),
                    _WRITER,
                    is_large=len(body) > MOST_ARRAY_BYTES,
                    prepared=prepared,
                )
            elif (found := self._at_once(request, head)) is not None:
                target, read, is_large = found
                answering = self._inference.answer(request, visit, target, read, _WRITER, is_large)
                del found, read  # so that what they hold is gone while the model runs
                response = await answering
            else:
                response = await self._of_large(request, head, visit)
            return await self._encoded(response, head.encoding) if head.encoding else response
        except TfaasError as error:
            return refused(error)

    def _at_once(self, request: Request, head: InferHead) -> tuple[Target, Read, bool] | None:
        """What the body says, if it takes no thread to read it; and whether it does to bind it."""
        if request.head.content_encoding:
            return None
        return self._reader.read_at_once(head, request.body)

    async def _of_large(self, request: Request, head: InferHead, visit: Visit) -> Response:
        """Of a body that is read in a thread."""
        most_bytes = min(self.host.config.server.max_body_bytes, MOST_UNPACKED_BYTES)
        async with unpacked_body(self.host, request, most_bytes, READ) as content:
            target, read = await self._models.in_thread(self._reader.read, head, content)
            return await self._inference.answer(
                request, visit, target, read, _WRITER, is_large=True
            )

    async def _encoded(self, response: Response, encoding: str) -> Response:
        """Compressed, as the client asks for."""
        with self.host.in_flight.kept(len(response.body)):
            content = await self._models.in_thread(compressed_body, response.body, encoding)
        headers = {**response.headers, "Content-Encoding": encoding}
        return msgspec.structs.replace(response, body=content, headers=headers)
