"""The handlers of ``/v1``: they adapt TensorFlow Serving's requests to the internal one."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from tfaas_core.errors import BadBody, TfaasError
from tfaas_core.host import Host
from tfaas_core.models.model import DEFAULT_SIGNATURE, ModelVersion
from tfaas_core.notes import noted
from tfaas_core.predict.compressed_bodies import unpacked_body
from tfaas_core.predict.inference import InferenceRequest
from tfaas_core.predict.target import Target
from tfaas_core.route import Head, Request, Response, admit, json_response
from tfaas_plugins.protocols.answers import answered, refused
from tfaas_plugins.protocols.handlers import READ, Handlers, is_large
from tfaas_plugins.protocols.json_text import NotJson, read
from tfaas_plugins.protocols.tfserving.examples import examples_of
from tfaas_plugins.protocols.tfserving.metadata import metadata_document, status_document
from tfaas_plugins.protocols.tfserving.models import ServingModels, UnknownSignature, bound_as_it_is
from tfaas_plugins.protocols.tfserving.paths import Asked, read_path
from tfaas_plugins.protocols.tfserving.results import results_answer
from tfaas_plugins.protocols.tfserving.tensors import (
    NUMBERS,
    columns_answer,
    rows_answer,
    values_of,
)
from tfaas_plugins.protocols.tfserving.usual_answer import usual_answer
from tfaas_plugins.protocols.tfserving.usual_values import Read, UsualValues
from tfaas_plugins.protocols.vectors import may_hold_booleans


class ServingApi(Handlers[ServingModels]):
    """``get``: a model's status or metadata. ``post``: predict, classify or regress."""

    def __init__(self, host: Host) -> None:
        super().__init__(ServingModels(host))
        self._read_head = self._asked

    def _asked(self, head: Head) -> Asked:
        return read_path(head.method, self.path(head))

    # What there is.

    async def models(self, request: Request) -> Response:
        """``GET``: the names of all models."""
        return await answered(self._names(request))

    async def _names(self, request: Request) -> Response:
        models = await self._models.seen(request)
        return json_response({"models": [{"name": model.name} for model in models]})

    async def _get(self, request: Request) -> Response:
        asked = self._asked(request.head)
        target = asked.target
        await admit(request, target.model)
        if asked.verb == "metadata":
            return json_response(metadata_document(self._models.version(target)))
        versions = self._models.versions(target)
        is_served = not self._models.is_unloaded(target.model)
        return json_response(status_document(versions, is_served))

    # Predictions.

    async def post(self, request: Request) -> Response:
        """``POST``: predict, classify or regress."""
        try:
            asked = noted(request.head, self._read_head)
            if request.visit is not None:
                request.visit.codec = self._models.protocol
            if asked.verb == "predict" and not is_large(request):
                return await self._predict(request, self._document(request.body), asked.target)
            return await self._post(request, asked)
        except TfaasError as error:
            return refused(error)

    async def _post(self, request: Request, asked: Asked) -> Response:
        limits = self.host.config.limits
        async with unpacked_body(self.host, request, limits.max_json_bytes, READ) as body:
            document = await self.read(request, self._document, body)
            if asked.verb == "predict":
                return await self._predict(request, document, asked.target)
            target = _with_signature(asked.target, document)
            examples = await self.read(request, examples_of, document, asked.verb, limits)
            version = await self._resolved(request, target)
            outputs = await self._models.of_examples(request, target, version, examples)
        asking = asked.verb, outputs, len(examples)
        return Response(await self.written(outputs, results_answer, *asking))

    def _document(self, body: bytes) -> dict[str, Any]:
        try:
            document = read(body, self.host.config.limits, NUMBERS)
        except NotJson as error:
            if not body.strip():
                raise BadBody("JSON Parse error: The document is empty") from None
            raise BadBody(
                f"JSON Parse error: Invalid value. at offset: {error.offset} ({error.message})"
            ) from None
        if type(document) is not dict:
            raise BadBody("Request body must be a JSON object. Is not object")
        return document

    async def _resolved(self, request: Request, target: Target) -> ModelVersion:
        try:
            return await self._models.resolved(request, target)
        except UnknownSignature:
            raise BadBody(f"No signature was found with the name: {target.signature}") from None

    async def _predict(
        self, request: Request, document: dict[str, Any], target: Target
    ) -> Response:
        target = _with_signature(target, document)
        models, visit = self._models, request.visit
        try:
            version = models.ungated(request, target) or await models.resolved(request, target)
        except UnknownSignature:
            raise BadBody(
                f'Serving signature name: "{target.signature}" not found in signature def'
            ) from None
        if is_large(request):
            bind = partial(_as_it_is, document)
            version, found = await models.bound(request, target, version, bind)
        else:
            found = _usual(document, version, request.body) or _as_it_is(document, version)
        del document  # so that what was read is gone while the model runs
        asked = InferenceRequest(version, found.bound, visit=visit)
        outputs = (await models.run(asked, target)).outputs
        usual = usual_answer(outputs, found.by_rows)
        if usual is not None:
            return Response(usual)
        write = rows_answer if found.by_rows else columns_answer
        return Response(await self.written(outputs, write, outputs))


def _usual(document: dict[str, Any], version: ModelVersion, body: bytes) -> Read | None:
    return noted(version, UsualValues).of(document, may_hold_booleans(body))


def _as_it_is(document: dict[str, Any], version: ModelVersion) -> Read:
    if not version.signature.inputs:
        name = version.signature.name or DEFAULT_SIGNATURE
        raise BadBody(f"Failed to get input map for signature: {name}")
    values = values_of(document, version.signature)
    return Read(bound_as_it_is(version, values.arrays), values.rows is not None)


def _with_signature(target: Target, document: dict[str, Any]) -> Target:
    name = document.get("signature_name", "")
    if type(name) is not str:
        raise BadBody("'signature_name' key must be a string value.")
    if not name or name == target.signature:
        return target
    return msgspec.structs.replace(target, signature=name)
