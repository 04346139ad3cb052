"""The handlers of ``/v1``: they adapt TensorFlow Serving's requests to the internal one."""

from __future__ import annotations

from typing import Any

import msgspec

from tfaas_core.errors import BadBody
from tfaas_core.host import Host
from tfaas_core.models.model import DEFAULT_SIGNATURE, ModelVersion
from tfaas_core.predict.predictor import Target
from tfaas_core.route import Request, Response, admit, json_response
from tfaas_plugins.protocols.answers import answered
from tfaas_plugins.protocols.bodies import unpacked
from tfaas_plugins.protocols.handlers import Handlers, is_large
from tfaas_plugins.protocols.json_text import NotJson, read
from tfaas_plugins.protocols.tfserving.examples import examples_of
from tfaas_plugins.protocols.tfserving.metadata import metadata_document, status_document
from tfaas_plugins.protocols.tfserving.models import ServingModels, UnknownSignature
from tfaas_plugins.protocols.tfserving.paths import Asked, read_path
from tfaas_plugins.protocols.tfserving.results import results_answer
from tfaas_plugins.protocols.tfserving.tensors import (
    NUMBERS,
    Values,
    columns_answer,
    rows_answer,
    values_of,
)


class ServingApi(Handlers[ServingModels]):
    """``get``: a model's status or metadata. ``post``: predict, classify or regress."""

    def __init__(self, host: Host) -> None:
        super().__init__(ServingModels(host))

    def _asked(self, request: Request) -> Asked:
        return read_path(request.method, self.path(request))

    # What there is.

    async def models(self, request: Request) -> Response:
        """``GET``: the names of all models."""
        return await answered(self._names(request))

    async def _names(self, request: Request) -> Response:
        models = await self._models.seen(request)
        return json_response({"models": [{"name": model.name} for model in models]})

    async def _get(self, request: Request) -> Response:
        asked = self._asked(request)
        target = asked.target
        await admit(request, target.model)
        if asked.verb == "metadata":
            return json_response(metadata_document(self._models.version(target)))
        versions = self._models.versions(target)
        is_served = not self._models.is_unloaded(target.model)
        return json_response(status_document(versions, is_served))

    # Predictions.

    async def _post(self, request: Request) -> Response:
        asked = self._asked(request)
        if request.visit is not None:
            request.visit.codec = self._models.protocol
        limits = self.host.config.limits
        async with unpacked(self.host, request, limits.max_json_bytes) as body:
            document = await self.read(request, self._document, body)
            if type(document) is not dict:
                raise BadBody("Request body must be a JSON object. Is not object")
            name = _signature_name(document)
            target = msgspec.structs.replace(asked.target, signature=name)
            if asked.verb == "predict":
                return await self._predict(request, document, target)
            examples = await self.read(request, examples_of, document, asked.verb, limits)
            version = await self._resolved(request, target, asked.verb)
            outputs = await self._models.of_examples(request, version, examples)
        asking = asked.verb, outputs, len(examples)
        return Response(await self.written(outputs, results_answer, *asking))

    def _document(self, body: bytes) -> Any:
        if not body.strip():
            raise BadBody("JSON Parse error: The document is empty")
        try:
            return read(body, self.host.config.limits, NUMBERS)
        except NotJson as error:
            raise BadBody(
                f"JSON Parse error: Invalid value. at offset: {error.offset} ({error.message})"
            ) from None

    async def _resolved(self, request: Request, target: Target, verb: str) -> ModelVersion:
        try:
            return await self._models.resolved(request, target)
        except UnknownSignature:
            if verb != "predict":
                raise BadBody(f"No signature was found with the name: {target.signature}") from None
            raise BadBody(
                f'Serving signature name: "{target.signature}" not found in signature def'
            ) from None

    async def _predict(
        self, request: Request, document: dict[str, Any], target: Target
    ) -> Response:
        def bind(version: ModelVersion) -> Values:
            if not version.signature.inputs:
                raise BadBody(f"Failed to get input map for signature: {target.signature}")
            return values_of(document, version.signature)

        version = await self._resolved(request, target, "predict")
        version, values = await self._models.bound(
            request, target, version, bind, is_large(request)
        )
        result = await self._models.infer(request, version, values.arrays)
        write = columns_answer if values.rows is None else rows_answer
        return Response(await self.written(result.outputs, write, result.outputs))


def _signature_name(document: dict[str, Any]) -> str:
    name = document.get("signature_name", "")
    if type(name) is not str:
        raise BadBody("'signature_name' key must be a string value.")
    return name or DEFAULT_SIGNATURE
