"""The handlers of ``/v1``: they adapt TensorFlow Serving's requests to the internal one."""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec
import numpy as np

from tfaas_core.errors import BadBody, DoesNotFit, UnknownModel, UnknownVersion
from tfaas_core.host import Host
from tfaas_core.models.model import DEFAULT_SIGNATURE, ModelVersion
from tfaas_core.models.versions import Model
from tfaas_core.predict.inference import InferenceRequest
from tfaas_core.predict.predictor import LARGE_BODY_BYTES, Target
from tfaas_core.route import Request, Response, admit, json_response, visible_models
from tfaas_core.tensors import Array, Bound, is_declared
from tfaas_plugins.protocols.answers import answered
from tfaas_plugins.protocols.bodies import unpacked
from tfaas_plugins.protocols.json_text import NotJson, dumped, is_finite, read, with_tokens
from tfaas_plugins.protocols.tfserving.examples import (
    Examples,
    classes_and_scores,
    examples_of,
    regressions,
)
from tfaas_plugins.protocols.tfserving.metadata import metadata_document, status_document
from tfaas_plugins.protocols.tfserving.paths import Asked, read_path
from tfaas_plugins.protocols.tfserving.tensors import columns_answer, rows_answer, values_of
from tfaas_plugins.protocols.unloaded import UnloadedModels

_KIND = "tfserving"
"""What logs and observers call it; its large bodies have threads of their own."""

_WRONG_KIND = "Data types don't match"
"""What TensorFlow says of an Example whose feature is of another kind than the model parses."""


class ServingApi:
    """Handlers over one Host."""

    def __init__(self, host: Host) -> None:
        self._host = host
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
            return json_response(metadata_document(self._version(target)))
        versions = self._versions(target)
        unloaded = self._host.shared.get(UnloadedModels.KEY)
        is_served = unloaded is None or not unloaded.holds(target.model)
        return json_response(status_document(versions, is_served))

    def _versions(self, target: Target) -> list[ModelVersion]:
        """Those whose status is asked for."""
        if target.label is not None:
            return [self._version(target)]
        try:
            model: Model = self._host.catalog.model(target.model)
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

    def _version(self, target: Target) -> ModelVersion:
        try:
            return self._host.catalog.get(target.model, target.version, target.label)
        except UnknownModel:
            _refuse(target)

    # Predictions.

    async def _post(self, request: Request) -> Response:
        asked = self._asked(request)
        if request.visit is not None:
            request.visit.codec = _KIND
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
            outputs = await self._of_examples(request, version, examples)
        return Response(_results(asked.verb, outputs, len(examples.array)))

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
            return await self._host.predictor.in_thread(work, *arguments, kind=_KIND)
        return work(*arguments)

    async def _resolved(self, request: Request, target: Target, verb: str) -> ModelVersion:
        try:
            version = await self._host.resolve(request, target)
            if (unloaded := self._host.shared.get(UnloadedModels.KEY)) is not None:
                unloaded.check(version.name)
            return version
        except UnknownModel:
            _refuse(target)
        except DoesNotFit:
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
        arrays = dict(values.arrays)
        bound = bound_as_it_is(version, arrays)
        asked = InferenceRequest(version, bound, visit=request.visit)
        result = await self._host.infer(asked)
        write = columns_answer if values.rows is None else rows_answer
        size = sum(array.nbytes for array in result.outputs.values())
        if size > LARGE_BODY_BYTES:
            return Response(await self._host.predictor.in_thread(write, result.outputs, kind=_KIND))
        return Response(write(result.outputs))

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
        result = await self._host.infer(InferenceRequest(version, bound, visit=request.visit))
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


def _refuse(target: Target) -> NoReturn:
    """Raises what says that there is no such version."""
    name = target.model[:140]
    if target.label is not None:
        raise BadBody(f"Unrecognized servable version label: {target.label[:140]}") from None
    if target.version is None:
        raise UnknownModel(f"Servable not found for request: Latest({name})") from None
    raise UnknownVersion(
        f"Servable not found for request: Specific({name}, {target.version})"
    ) from None
