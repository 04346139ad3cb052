"""The handlers of ``/v2``: they adapt the protocol's requests to the internal one."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from tfaas_core.errors import BadBody, Unavailable
from tfaas_core.predict.predictor import Target
from tfaas_core.route import Request, Response, json_response
from tfaas_plugins.protocols.answers import answered
from tfaas_plugins.protocols.bodies import MOST_UNPACKED_BYTES, compressed, unpacked
from tfaas_plugins.protocols.handlers import Handlers, is_large
from tfaas_plugins.protocols.json_text import NotJson, read
from tfaas_plugins.protocols.oip.accept import best_encoding
from tfaas_plugins.protocols.oip.answers import JSON_LENGTH, infer_answer
from tfaas_plugins.protocols.oip.facts import Facts
from tfaas_plugins.protocols.oip.inference import Inference, Read, held
from tfaas_plugins.protocols.oip.metadata import log_settings
from tfaas_plugins.protocols.oip.models import OipModels
from tfaas_plugins.protocols.oip.paths import Asked, read_path
from tfaas_plugins.protocols.oip.raw_input import raw_input
from tfaas_plugins.protocols.oip.requests import NUMBERS, infer_body


class InferenceApi(Handlers[OipModels]):
    """``get``: health, metadata and statistics of a model. ``post``: inference."""

    def __init__(self, models: OipModels, facts: Facts, inference: Inference) -> None:
        super().__init__(models)
        self._facts = facts
        self._inference = inference

    def _asked(self, request: Request) -> Asked:
        return read_path(request.method, self.path(request))

    # What there is.

    async def _get(self, request: Request) -> Response:
        asked = self._asked(request)
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

    async def _post(self, request: Request) -> Response:
        asked = self._asked(request)
        assert asked.target is not None  # all else that is posted has routes of its own
        visit = self._inference.begin(request)
        most_bytes = min(self.host.config.server.max_body_bytes, MOST_UNPACKED_BYTES)
        async with unpacked(self.host, request, most_bytes) as content:
            signature, body = await self.read(request, self._read, request, content)
            target = msgspec.structs.replace(asked.target, signature=signature)
            response = await self._inference.answer(
                request, visit, target, body, infer_answer, is_large(request)
            )
        return await self._encoded(request, response)

    async def _encoded(self, request: Request, response: Response) -> Response:
        """Compressed, if the client asks for that."""
        encoding = best_encoding(request.headers.get("accept-encoding", ""))
        if not encoding:
            return response
        content = await self._models.in_thread(compressed, response.body, encoding)
        headers = {**response.headers, "Content-Encoding": encoding}
        return msgspec.structs.replace(response, body=content, headers=headers)

    def _read(self, request: Request, body: bytes) -> tuple[str | None, Read]:
        """The signature that a request names, if it does, whose ``body`` was unpacked; and it."""
        config, head = self.host.config, request.head
        length = _json_length(head.headers.get(JSON_LENGTH.lower()), len(body))
        if length == 0 and body:
            return None, partial(raw_input, body)
        view = memoryview(body)
        text = body if length is None else bytes(view[:length])
        try:
            document = read(text, config.limits, NUMBERS)
        except NotJson as error:
            raise BadBody(
                f"failed to parse the request JSON buffer: {error.message} at {error.offset}"
            ) from None
        asked = infer_body(document, view[len(text) :])
        return asked.signature, held(asked)


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
