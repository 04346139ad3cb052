"""Models as TensorFlow Serving's clients find and ask them, over REST as over gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from tfaas_core.errors import BadBody, DoesNotFit, TooLarge, UnknownModel, UnknownVersion
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.inference import InferenceRequest, InferenceResult
from tfaas_core.predict.predictor import LARGE_BODY_BYTES, Target
from tfaas_core.route import Request
from tfaas_core.tensors import Arrays, Bound, is_declared
from tfaas_plugins.protocols.tfserving.examples import ExampleList, Examples
from tfaas_plugins.protocols.unloaded import UnloadedModels

_WRONG_KIND = "Data types don't match"
"""What TensorFlow says of an Example whose feature is of another kind than the model parses."""


class UnknownSignature(BadBody):
    """The model has no signature of the name that was asked for."""


class ServedModels:
    """Those of one Host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    # What there is.

    def versions(self, target: Target) -> list[ModelVersion]:
        """Those whose status is asked for. Raises UnknownModel, and BadBody for a label."""
        if target.label is not None:
            return [self.version(target)]
        try:
            model = self._host.catalog.model(target.model)
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

    def version(self, target: Target) -> ModelVersion:
        """The one that ``target`` names. Raises UnknownModel, and BadBody for a label."""
        try:
            return self._host.catalog.get(target.model, target.version, target.label)
        except UnknownModel:
            _refuse(target)

    def is_served(self, name: str) -> bool:
        """Whether nobody has unloaded the model."""
        unloaded = self._host.shared.get(UnloadedModels.KEY)
        return unloaded is None or not unloaded.holds(name)

    # Predictions.

    async def resolved(self, request: Request, target: Target) -> ModelVersion:
        """The version and signature that ``target`` names, once guards let ``request`` go there.

        Raises as ``version`` does, UnknownSignature, Unavailable, and what guards raise.
        """
        try:
            version = await self._host.resolve(request, target)
        except UnknownModel:
            _refuse(target)
        except DoesNotFit as error:
            raise UnknownSignature(error.message) from None
        if (unloaded := self._host.shared.get(UnloadedModels.KEY)) is not None:
            unloaded.check(version.name)
        return version

    async def infer(
        self,
        request: Request,
        version: ModelVersion,
        arrays: Arrays,
        outputs: Sequence[str] | None = None,
        timeout_s: float | None = None,
    ) -> InferenceResult:
        """Runs the arrays, which need not be what the signature declares."""
        bound = bound_as_it_is(version, arrays)
        asked = InferenceRequest(version, bound, outputs, timeout_s, visit=request.visit)
        return await self._host.infer(asked)

    async def of_examples(
        self,
        request: Request,
        version: ModelVersion,
        examples: Examples,
        timeout_s: float | None = None,
    ) -> Arrays:
        """The outputs for ``examples``. Raises BadBody if the signature takes none."""
        names = [spec.name for spec in version.signature.inputs]
        if names != ["inputs"]:
            raise BadBody(
                "Expected one input, called 'inputs', of the signature, but it has "
                + (", ".join(names) or "none")
            )
        if version.signature.inputs[0].dtype != "string":
            raise BadBody("Expected input 'inputs' of the graph to take serialized examples")
        try:
            return await self._of_list(request, version, examples.exact, timeout_s)
        except DoesNotFit as error:
            if examples.as_floats is None or _WRONG_KIND not in error.message:
                raise
        # JavaScript cannot write 80.0, so that a whole number may be meant as a float.
        return await self._of_list(request, version, examples.as_floats, timeout_s)

    async def _of_list(
        self,
        request: Request,
        version: ModelVersion,
        examples: ExampleList,
        timeout_s: float | None,
    ) -> Arrays:
        size, most_bytes = examples.array_bytes, self._host.config.server.max_body_bytes
        if size > most_bytes:
            raise TooLarge(
                f"the {len(examples.examples)} examples, each with the context, have {size} bytes, "
                f"at most {most_bytes} are taken (server.max_body_bytes)",
                expected=most_bytes,
                got=size,
            )
        # A context of a few bytes, before each of many examples, is many bytes.
        with self._host.in_flight.held(size):
            if size > LARGE_BODY_BYTES:
                array = await self._host.predictor.in_thread(examples.array)
            else:
                array = examples.array()
            result = await self.infer(request, version, {"inputs": array}, None, timeout_s)
        return result.outputs


def bound_as_it_is(version: ModelVersion, arrays: Arrays) -> Bound:
    """``arrays`` as a batch to be run with others, if they are what the signature declares.

    Otherwise as they are: TensorFlow Serving leaves it to the graph what shapes it takes.
    """
    sizes = {array.shape[0] if array.ndim else None for array in arrays.values()}
    rows = sizes.pop() if len(sizes) == 1 else None
    if rows is not None and is_declared(version.signature, arrays, rows):
        return Bound(arrays, rows, single=False)
    return Bound(arrays, rows or 1, single=False, whole=True, any_shape=True)


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
