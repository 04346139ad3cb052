"""Records of models that exist only as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import BatchAxis, Signature, TensorSpec

ROW_OF_2 = TensorSpec("x", "float32", (None, 2))
ONE_NUMBER = TensorSpec("y", "float32", (None, 1))


def model_version(
    inputs: Sequence[TensorSpec] = (ROW_OF_2,),
    outputs: Sequence[TensorSpec] = (ONE_NUMBER,),
    *,
    batch: BatchAxis = BatchAxis.FREE,
    params: dict[str, Any] | None = None,
    labels: Sequence[str] = (),
    name: str = "vk",
    version: int = 1,
) -> ModelVersion:
    """A record as a storage would keep it; unless told otherwise, 2 float32 in and 1 out."""
    return ModelVersion(
        name=name,
        version=version,
        runtime="graph",
        model_file="model.pb",
        labels_file="labels.txt" if labels else "",
        params=params or {},
        signature=Signature(tuple(inputs), tuple(outputs), batch),
        mergeable=batch is BatchAxis.FREE,
        labels=tuple(labels),
        created="2021-10-22 14:04:52.890903 +0000 UTC",
        size_bytes=1000,
        checksum="0" * 64,
    )
