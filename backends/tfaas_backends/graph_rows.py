"""What the proof over a graph tells about the rows of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tfaas_backends.independence.prover import Finding, Proof
from tfaas_core.runtime import Independence
from tfaas_core.tensors import BatchAxis, Signature, TensorSpec

NO_PROOF = Proof(())


def with_findings(outputs: Sequence[TensorSpec], proof: Proof) -> list[TensorSpec]:
    """The outputs, with what the proof knows of them: that one is constant, or its shape."""
    return [_with(spec, finding) for spec, finding in zip(outputs, proof.outputs, strict=True)]


def _with(spec: TensorSpec, finding: Finding) -> TensorSpec:
    if finding.kind == "constant":
        return msgspec.structs.replace(spec, constant=True)
    if spec.shape is None and finding.kind == "rows":
        return msgspec.structs.replace(spec, shape=finding.shape)
    return spec


def settled(signature: Signature, proof: Proof, is_given: bool) -> Signature:
    """The signature, with no batch axis where that belongs to several inputs, but not to rows.

    Where rows of several inputs are mixed, nothing says that their first sizes are the same: they
    may be the nodes and the edges of a graph. ``is_given``: the params give the axis.
    """
    batch, outputs = signature.batch, signature.outputs
    if batch is BatchAxis.FREE and len(signature.inputs) > 1 and not (proof.mergeable or is_given):
        batch = BatchAxis.NONE
    if batch is BatchAxis.NONE:  # where all is whole, constants are nothing special
        outputs = tuple(msgspec.structs.replace(spec, constant=False) for spec in outputs)
    return msgspec.structs.replace(signature, batch=batch, outputs=outputs)


def independence_of(proof: Proof) -> Independence:
    """The proof's verdict."""
    return Independence(proof.mergeable, proof.why)
