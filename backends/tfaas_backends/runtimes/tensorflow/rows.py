"""What is proven of the rows of a graph's inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tfaas_backends.runtimes.independence.prover import Finding, Prover
from tfaas_core.runtime import Independence, Shapes
from tfaas_core.tensors import BatchAxis, Signature, TensorSpec


class GraphRows:
    """The proof over a graph, as a signature and a servable need it. ``inputs`` are its own."""

    def __init__(self, prover: Prover, inputs: Sequence[TensorSpec]) -> None:
        self._proof = prover.prove([spec.shape for spec in inputs])
        # What it holds of the graph is needed again only if requests tell the shapes.
        self._prover = prover if any(spec.shape is None for spec in inputs) else None

    def found(self, outputs: Sequence[TensorSpec]) -> list[TensorSpec]:
        """The outputs, with what the proof knows of them: that one is constant, or its shape."""
        return [_with(spec, f) for spec, f in zip(outputs, self._proof.outputs, strict=True)]

    def settled(self, signature: Signature, is_given: bool) -> Signature:
        """The signature, with no batch axis if its inputs have no rows in common.

        Where rows of several inputs are mixed, nothing says that their first sizes are the same:
        they may be the nodes and the edges of a graph. ``is_given``: the params give the axis.
        """
        batch, outputs = signature.batch, signature.outputs
        are_apart = len(signature.inputs) > 1 and not self._proof.mergeable
        if batch is BatchAxis.FREE and are_apart and not is_given:
            batch = BatchAxis.NONE
        if batch is BatchAxis.NONE:  # if all is whole, constants are nothing special
            outputs = tuple(msgspec.structs.replace(spec, constant=False) for spec in outputs)
        return msgspec.structs.replace(signature, batch=batch, outputs=outputs)

    def independence(self, signature: Signature, shapes: Shapes | None = None) -> Independence:
        """As Servable.independence."""
        proof = self._proof
        if shapes is None or self._prover is None:
            return Independence(proof.mergeable, proof.why, _is_by_shape(signature))
        proof = self._prover.prove(shapes)
        if all(finding.kind == "rows" for finding in proof.outputs):
            return Independence(True)
        return Independence(False, proof.why or "an output has no rows")


def _with(spec: TensorSpec, finding: Finding) -> TensorSpec:
    if finding.kind == "constant":
        return msgspec.structs.replace(spec, constant=True)
    if spec.shape is None and finding.kind == "rows":
        return msgspec.structs.replace(spec, shape=finding.shape)
    return spec


def _is_by_shape(signature: Signature) -> bool:
    """Whether inputs of unknown rank are all that keeps the first axis from being the rows."""
    shapes = [spec.shape for spec in (*signature.inputs, *signature.outputs)]
    is_unknown = any(spec.shape is None for spec in signature.inputs)
    return is_unknown and all(shape is None or shape[:1] == (None,) for shape in shapes)
