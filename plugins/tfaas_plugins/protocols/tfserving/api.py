"""The handlers of ``/v1``: they adapt TensorFlow Serving's requests to the internal one."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from tfaas_core.errors import BadBody, DoesNotFit, TfaasError, UnknownModel, UnknownVersion
from tfaas_core.models.model import DEFAULT_SIGNATURE, ModelVersion
from tfaas_core.models.versions import Model
from tfaas_core.predict.inference import InferenceRequest
from tfaas_core.predict.predictor import Target
from tfaas_core.route import Request, Response, admit, json_response
from tfaas_core.tensors import Array, Bound, is_declared
from tfaas_plugins.protocols.answers import answered
from tfaas_plugins.protocols.bodies import unpacked
from tfaas_plugins.protocols.handlers import Handlers
from tfaas_plugins.protocols.json_arrays import dumped, elements_written, written
from tfaas_plugins.protocols.json_text import NotJson, read
from tfaas_plugins.protocols.tfserving.examples import (
    Examples,
    classes_and_scores,
    examples_of,
    regressions,
)
from tfaas_plugins.protocols.tfserving.metadata import metadata_document, status_document
from tfaas_plugins.protocols.tfserving.paths import Asked, read_path
from tfaas_plugins.protocols.tfserving.tensors import (
    Values,
    columns_answer,
    read_fields,
    rows_answer,
    values_of,
)

_WRONG_KIND = "Data types don't match"
"""What TensorFlow says of an Example whose feature is of another kind than the model parses."""


class ServingApi(Handlers):
    """``get``: a model's status or metadata. ``post``: predict, classify or regress."""

    codec = "tfserving"

    def _asked(self, request: Request) -> Asked:
        return read_path(request.method, self.path(request))

    # What there is.

    async def models(self, request: Request) -> Response:
        """``GET``: the names of all models."""
        return await answered(self._models(request))

    async def _models(self, request: Request) -> Response:
        models = await self.seen(request)
        return json_response({"models": [{"name": model.name} for model in models]})

    async def _get(self, request: Request) -> Response:
        asked = self._asked(request)
        target = asked.target
        await admit(request, target.model)
        if asked.verb == "metadata":
            return json_response(metadata_document(self.version(target)))
        versions = self._versions(target)
        return json_response(status_document(versions, not self.is_unloaded(target.model)))

    def _versions(self, target: Target) -> list[ModelVersion]:
        """Those whose status is asked for."""
        if target.label is not None:
            return [self.version(target)]
        try:
            model: Model = self.host.catalog.model(target.model)
            if target.version is None:
                return list(model.versions)
            return [model.version(target.version)]
        except UnknownVersion:
            raise UnknownVersion(
                f"Could not find version {target.version} of model {target.model}"
            ) from None
        except UnknownModel:
            raise UnknownModel(
                f"Could not find any versions of model {target.model[:140]}"
            ) from None

    def unknown(self, target: Target) -> TfaasError:
        name = target.model[:140]
        if target.label is not None:
            return BadBody(f"Unrecognized servable version label: {target.label[:140]}")
        if target.version is None:
            return UnknownModel(f"Servable not found for request: Latest({name})")
        return UnknownVersion(f"Servable not found for request: Specific({name}, {target.version})")

    # Predictions.

    async def _post(self, request: Request) -> Response:
        asked = self._asked(request)
        if request.visit is not None:
            request.visit.codec = self.codec
        most_bytes = self.host.config.limits.max_json_bytes
        async with unpacked(self.host, request, most_bytes) as body:
            document = await self.read(request, self._document, body)
            if type(document) is not dict:
                raise BadBody("Request body must be a JSON object. Is not object")
            name = _signature_name(document)
            target = msgspec.structs.replace(asked.target, signature=name)
            if asked.verb == "predict":
                return await self._predict(request, document, target)
            limits = self.host.config.limits
            examples = await self.read(request, examples_of, document, asked.verb, limits)
            version = await self._signed(request, target, asked.verb)
            outputs = await self._of_examples(request, version, examples)
        asking = asked.verb, outputs, len(examples.array)
        return Response(await self.written(outputs, _results, *asking))

    def _document(self, body: bytes) -> Any:
        if not body.strip():
            raise BadBody("JSON Parse error: The document is empty")
        try:
            return read(body, self.host.config.limits, read_fields)
        except NotJson as error:
            raise BadBody(
                f"JSON Parse error: Invalid value. at offset: {error.offset} ({error.message})"
            ) from None

    async def _signed(self, request: Request, target: Target, verb: str) -> ModelVersion:
        try:
            return await self.resolved(request, target)
        except DoesNotFit:
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

        resolve = partial(self._signed, request, target, "predict")
        version, values = await self.bound(request, await resolve(), resolve, bind)
        arrays = dict(values.arrays)
        bound = bound_as_it_is(version, arrays)
        asked = InferenceRequest(version, bound, visit=request.visit)
        result = await self.host.infer(asked)
        write = columns_answer if values.rows is None else rows_answer
        return Response(await self.written(result.outputs, write, result.outputs))

    async def _of_examples(
        self, request: Request, version: ModelVersion, examples: Examples
    ) -> dict[str, Array]:
        names = [spec.name for spec in version.signature.inputs]
        if names != ["inputs"]:
            raise BadBody(
                "Expected one input, called 'inputs', of the signature, but it has "
                + (", ".join(names) or "none")
            )
        if version.signature.inputs[0].dtype != "string":
            raise BadBody("Expected input 'inputs' of the graph to take serialized examples")
        try:
            return await self._run(request, version, examples.array)
        except DoesNotFit as error:
            if examples.as_floats is None or _WRONG_KIND not in error.message:
                raise
        # JavaScript cannot write 80.0, so that a whole number may be meant as a float.
        return await self._run(request, version, examples.as_floats)

    async def _run(self, request: Request, version: ModelVersion, array: Array) -> dict[str, Array]:
        bound = bound_as_it_is(version, {"inputs": array})
        result = await self.host.infer(InferenceRequest(version, bound, visit=request.visit))
        return dict(result.outputs)


def bound_as_it_is(version: ModelVersion, arrays: dict[str, Array]) -> Bound:
    """``arrays`` as a batch to be run with others, if they are what the signature declares.

    Otherwise as they are: TensorFlow Serving leaves it to the graph what shapes it takes.
    """
    sizes = {array.shape[0] if array.ndim else None for array in arrays.values()}
    rows = sizes.pop() if len(sizes) == 1 else None
    if rows is not None and is_declared(version.signature, arrays, rows):
        return Bound(arrays, rows, single=False)
    return Bound(arrays, rows or 1, single=False, whole=True, any_shape=True)


def _signature_name(document: dict[str, Any]) -> str:
    name = document.get("signature_name", "")
    if type(name) is not str:
        raise BadBody("'signature_name' key must be a string value.")
    return name or DEFAULT_SIGNATURE


def _results(verb: str, outputs: dict[str, Array], rows: int) -> bytes:
    if verb == "regress":
        return b'{"results":%b}' % written(regressions(outputs, rows))
    classes, scores = classes_and_scores(outputs, rows)
    results = (_classes(*row) for row in zip(classes, scores, strict=True))
    return b'{"results":[%b]}' % b",".join(results)


def _classes(labels: Array, scores: Array) -> bytes:
    texts = (dumped(label.decode(errors="replace")) for label in labels)
    pairs = zip(texts, elements_written(scores), strict=True)
    return b"[%b]" % b",".join(b"[%b,%b]" % pair for pair in pairs)
