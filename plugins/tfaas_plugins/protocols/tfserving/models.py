"""Models as TensorFlow Serving's clients find and ask them, over REST as over gRPC."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_core.errors import (
    BadBody,
    DoesNotFit,
    TfaasError,
    UnknownModel,
    UnknownVersion,
)
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.early_binding import LARGE_BODY_BYTES
from tfaas_core.predict.inference import InferenceRequest, InferenceResult
from tfaas_core.predict.target import Target
from tfaas_core.route import Request
from tfaas_core.tensors import Arrays, Bound, is_declared
from tfaas_plugins.protocols.served_models import ServedModels
from tfaas_plugins.protocols.tfserving.examples import ExampleList, Examples

_WRONG_KIND = "Data types don't match"
"""What TensorFlow says of an Example whose feature is of another kind than the model parses."""


class UnknownSignature(BadBody):
    """The model has no signature of the name that was asked for."""


class ServingModels(ServedModels):
    """Those of one Host."""

    protocol = "tfserving"

    # What there is.

    def unknown(self, target: Target) -> TfaasError:
        name = target.model[:140]
        if target.label is not None:
            return BadBody(f"Unrecognized servable version label: {target.label[:140]}")
        if target.version is None:
            return UnknownModel(f"Servable not found for request: Latest({name})")
        return UnknownVersion(f"Servable not found for request: Specific({name}, {target.version})")

    def versions(self, target: Target) -> list[ModelVersion]:
        """Those whose status is asked for. Raises UnknownModel, and BadBody for a label."""
        if target.label is not None:
            return [self.version(target)]
        try:
            model = self.host.catalog.model(target.model)
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

    # Predictions.

    def unsigned(self, error: DoesNotFit) -> UnknownSignature:
        return UnknownSignature(error.message)

    async def infer(
        self,
        request: Request,
        target: Target,
        version: ModelVersion,
        arrays: Arrays,
        outputs: Sequence[str] | None = None,
        timeout_s: float | None = None,
    ) -> InferenceResult:
        """Runs the arrays, which need not be what the signature declares."""
        bound = bound_as_it_is(version, arrays)
        asked = InferenceRequest(version, bound, outputs, timeout_s, visit=request.visit)
        return await self.run(asked, target)

    async def of_examples(
        self,
        request: Request,
        target: Target,
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
            return await self._of_list(request, target, version, examples.exact, timeout_s)
        except DoesNotFit as error:
            if examples.as_floats is None or _WRONG_KIND not in error.message:
                raise
        # JavaScript cannot write 80.0, so that a whole number may be meant as a float.
        return await self._of_list(request, target, version, examples.as_floats, timeout_s)

    async def _of_list(
        self,
        request: Request,
        target: Target,
        version: ModelVersion,
        examples: ExampleList,
        timeout_s: float | None,
    ) -> Arrays:
        size = examples.checked_bytes(self.host.config.server.max_body_bytes)
        # A context of a few bytes, before each of many examples, is many bytes.
        with self.host.in_flight.held(size):
            if size > LARGE_BODY_BYTES:
                array = await self.in_thread(examples.array)
            else:
                array = examples.array()
            result = await self.infer(request, target, version, {"inputs": array}, None, timeout_s)
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
