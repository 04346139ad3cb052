"""The handlers of ``/v2``: they adapt the protocol's requests to the internal one."""

from __future__ import annotations

from functools import partial

import msgspec

from tfaas_core.errors import BadBody, Unavailable
from tfaas_core.host import Host
from tfaas_core.predict.predictor import LARGE_BODY_BYTES, Target
from tfaas_core.route import Request, Response, json_response
from tfaas_plugins.protocols.answers import answered
from tfaas_plugins.protocols.bodies import MOST_UNPACKED_BYTES, compressed, unpacked
from tfaas_plugins.protocols.json_text import NotJson, read
from tfaas_plugins.protocols.oip.accept import best_encoding
from tfaas_plugins.protocols.oip.answers import JSON_LENGTH, infer_answer
from tfaas_plugins.protocols.oip.control import RepositoryApi
from tfaas_plugins.protocols.oip.facts import Facts
from tfaas_plugins.protocols.oip.inference import Inference, Read, held
from tfaas_plugins.protocols.oip.metadata import log_settings
from tfaas_plugins.protocols.oip.paths import Asked, read_path
from tfaas_plugins.protocols.oip.raw_input import raw_input
from tfaas_plugins.protocols.oip.requests import infer_body


class InferenceApi:
    """Handlers over one Host."""

    def __init__(
        self, host: Host, facts: Facts, inference: Inference, repository: RepositoryApi
    ) -> None:
        self._host = host
        self._facts = facts
        self._inference = inference
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
        match asked.what:
            case "live":
                return json_response({"live": True})
            case "ready":
                if reason := self._facts.why_not_ready:
                    raise Unavailable(f"not ready: {reason}")
                return json_response({"ready": True})
            case "logging":
                return json_response(log_settings(self._host.config.server.log_level))
            case "server":
                return json_response(self._facts.server())
            case "models":
                seen = await self._facts.models(request)
                return json_response({"models": [model.name for model in seen]})
        return json_response(await self._facts.statistics(request, None))

    async def _of_model(self, request: Request, what: str, target: Target) -> Response:
        match what:
            case "ready":
                version = await self._facts.ready(request, target)
                return json_response({"name": version.name, "ready": True})
            case "stats":
                return json_response(await self._facts.statistics(request, target))
            case "config":
                return json_response(await self._facts.config(request, target))
        return json_response(await self._facts.metadata(request, target))

    # Inference.

    async def _post(self, request: Request) -> Response:
        asked = self._asked(request)
        if asked.target is None:
            return await self._repository.index(request)
        visit = self._inference.begin(request)
        most_bytes = min(self._host.config.server.max_body_bytes, MOST_UNPACKED_BYTES)
        is_large = len(request.body) > LARGE_BODY_BYTES or request.head.content_encoding != ""
        async with unpacked(self._host, request, most_bytes) as content:
            if is_large:
                found = await self._host.predictor.in_thread(self._read, request, content)
            else:
                found = self._read(request, content)
            target = msgspec.structs.replace(asked.target, signature=found[0])
            version = await self._inference.resolved(request, target)
            response = await self._inference.answer(
                visit, version, found[1], infer_answer, is_large
            )
        return await self._encoded(request, response)

    async def _encoded(self, request: Request, response: Response) -> Response:
        """Compressed, if the client asks for that."""
        encoding = best_encoding(request.headers.get("accept-encoding", ""))
        if not encoding:
            return response
        content = await self._host.predictor.in_thread(compressed, response.body, encoding)
        headers = {**response.headers, "Content-Encoding": encoding}
        return msgspec.structs.replace(response, body=content, headers=headers)

    def _read(self, request: Request, body: bytes) -> tuple[str | None, Read]:
        """The signature that a request names, if it does, whose ``body`` was unpacked; and it."""
        config, head = self._host.config, request.head
        length = _json_length(head.headers.get(JSON_LENGTH.lower()), len(body))
        if length == 0 and body:
            return None, partial(raw_input, body)
        view = memoryview(body)
        text = body if length is None else bytes(view[:length])
        try:
            document = read(text, config.limits)
        except NotJson as error:
            raise BadBody(
                f"failed to parse the request JSON buffer: {error.message} at {error.offset}"
            ) from None
        asked = infer_body(document, view[len(text) :], config.limits)
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
