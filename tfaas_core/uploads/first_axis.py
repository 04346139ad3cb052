"""What the examples of an upload show of its inputs' first axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tfaas_core.engine.base import Candidate, Engine, Loaded
from tfaas_core.models.examples import Example
from tfaas_core.models.params import Params
from tfaas_core.tensors import BatchAxis, Signature, TensorSpec


async def prepare(
    engine: Engine, candidate: Candidate, params: Params, examples: Sequence[Example]
) -> Loaded:
    """``engine.prepare``, and once more if the examples show another batch axis than it found.

    ``params`` are the candidate's. Raises what ``Engine.prepare`` raises.
    """
    loaded = await engine.prepare(candidate)
    is_given = params.batch.axis is not None
    if is_given or not any(_are_apart(example, loaded.signature) for example in examples):
        return loaded
    engine.discard(loaded.ticket)
    return await engine.prepare(msgspec.structs.replace(candidate, batch=BatchAxis.NONE))


def _are_apart(example: Example, signature: Signature) -> bool:
    """Whether the inputs are batches of different sizes, so that their rows do not belong together.

    If they are nested one less deep, they are rows, and their lengths tell nothing.
    """
    inputs = example.document.get("inputs")
    if signature.batch is not BatchAxis.FREE or not isinstance(inputs, dict):
        return False
    specs = {spec.name.removesuffix(":0"): spec for spec in signature.inputs}
    sizes = {
        len(values)
        for name, values in inputs.items()
        if (spec := specs.get(str(name).removesuffix(":0"))) and _is_batch(values, spec)
    }
    return len(sizes) > 1


def _is_batch(values: Any, spec: TensorSpec) -> bool:
    if spec.shape is None or not isinstance(values, list):
        return False
    depth = 0
    while isinstance(values, list) and depth <= len(spec.shape):
        depth += 1
        values = values[0] if values else None
    return depth == len(spec.shape)
