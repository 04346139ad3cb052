"""The handlers of ``/v1``: they adapt TensorFlow Serving's requests to the internal one."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tfaas_core.errors import BadBody
from tfaas_core.host import Host
from tfaas_core.models.model import DEFAULT_SIGNATURE, ModelVersion
from tfaas_core.predict.predictor import LARGE_BODY_BYTES, Target
from tfaas_core.route import Request, Response, admit, json_response, visible_models
from tfaas_core.tensors import Arrays
from tfaas_plugins.protocols.answers import answered
from tfaas_plugins.protocols.bodies import unpacked
from tfaas_plugins.protocols.json_text import NotJson, dumped, is_finite, read, with_tokens
from tfaas_plugins.protocols.tfserving.examples import (
    classes_and_scores,
    examples_of,
    regressions,
)
from tfaas_plugins.protocols.tfserving.metadata import metadata_document, status_document
from tfaas_plugins.protocols.tfserving.models import ServedModels, UnknownSignature
from tfaas_plugins.protocols.tfserving.paths import Asked, read_path
from tfaas_plugins.protocols.tfserving.tensors import columns_answer, rows_answer, values_of


class ServingApi:
    """Handlers over one Host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._models = ServedModels(host)
        self._base_characters = len(host.config.server.base)

    async def get(self, request: Request) -> Response:
        """``GET``: the status or the metadata of a model, or a list of all."""
        return await answered(self._get(request))

    async def post(self, request: Request) -> Response:
        """``POST``: predict, classify or regress."""
        return await answered(self._post(request))

    def _asked(self, request: Request) -> Asked:
        head = request.head
        return read_path(head.method, head.raw_path[self._base_characters :])

    # What there is.

    async def _get(self, request: Request) -> Response:
        asked = self._asked(request)
        target, catalog = asked.target, self._host.catalog
        if asked.verb == "list":
            models = catalog.list()
            visible = await visible_models(request, [model.name for model in models])
            return json_response(
                {"models": [{"name": model.name} for model in models if model.name in visible]}
            )
        await admit(request, target.model)
        if asked.verb == "metadata":
            return json_response(metadata_document(self._models.version(target)))
        versions = self._models.versions(target)
        return json_response(status_document(versions, self._models.is_served(target.model)))

    # Predictions.

    async def _post(self, request: Request) -> Response:
        asked = self._asked(request)
        if request.visit is not None:
            request.visit.codec = "tfserving"
        most_bytes = self._host.config.limits.max_json_bytes
        async with unpacked(self._host, request, most_bytes) as body:
            document = await self._in_thread(request, self._read, body)
            if type(document) is not dict:
                raise BadBody("Request body must be a JSON object. Is not object")
            name = _signature_name(document)
            target = msgspec.structs.replace(asked.target, signature=name)
            if asked.verb == "predict":
                return await self._predict(request, document, target)
            examples = await self._in_thread(request, examples_of, document, asked.verb)
            version = await self._resolved(request, target, asked.verb)
            outputs = await self._models.of_examples(request, version, examples)
        return Response(_results(asked.verb, outputs, len(examples)))

    def _read(self, body: bytes) -> Any:
        if not body.strip():
            raise BadBody("JSON Parse error: The document is empty")
        try:
            return read(body, self._host.config.limits)
        except NotJson as error:
            raise BadBody(
                f"JSON Parse error: Invalid value. at offset: {error.offset} ({error.message})"
            ) from None

    async def _in_thread(self, request: Request, work: Any, *arguments: Any) -> Any:
        """``work(*arguments)``, in a thread if the body is large."""
        is_large = len(request.body) > LARGE_BODY_BYTES or request.head.content_encoding
        if is_large:
            return await self._host.predictor.in_thread(work, *arguments)
        return work(*arguments)

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
        version = await self._resolved(request, target, "predict")
        signature = version.signature
        if not signature.inputs:
            raise BadBody(f"Failed to get input map for signature: {target.signature}")
        values = await self._in_thread(request, values_of, document, signature)
        result = await self._models.infer(request, version, values.arrays)
        write = columns_answer if values.rows is None else rows_answer
        size = sum(array.nbytes for array in result.outputs.values())
        if size > LARGE_BODY_BYTES:
            return Response(await self._host.predictor.in_thread(write, result.outputs))
        return Response(write(result.outputs))


def _signature_name(document: dict[str, Any]) -> str:
    name = document.get("signature_name", "")
    if type(name) is not str:
        raise BadBody("'signature_name' key must be a string value.")
    return name or DEFAULT_SIGNATURE


def _results(verb: str, outputs: Arrays, rows: int) -> bytes:
    if verb == "regress":
        values = regressions(outputs, rows)
        write = dumped if is_finite(values) else with_tokens
        return write({"results": values.astype(np.str_).astype(np.float64)})
    classes, scores = classes_and_scores(outputs, rows)
    shown = scores.astype(np.str_).astype(np.float64).tolist()
    results = [
        [[label.decode(errors="replace"), score] for label, score in zip(*row, strict=True)]
        for row in zip(classes, shown, strict=True)
    ]
    return (dumped if is_finite(scores) else with_tokens)({"results": results})
