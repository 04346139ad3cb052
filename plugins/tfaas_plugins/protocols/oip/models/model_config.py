"""A model's configuration, as Triton's extension to the Open Inference Protocol shows it."""

from __future__ import annotations

from typing import Any

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import BatchAxis, TensorSpec
from tfaas_plugins.protocols.oip.datatypes import datatype_of
from tfaas_plugins.protocols.oip.models.metadata import platform_of

_TYPES = {"BYTES": "TYPE_STRING"}


def model_config(version: ModelVersion, most_rows: int) -> dict[str, Any]:
    """Of one version: what can be told of it. Raises BadBody if a dtype has no datatype.

    If each input and output begins with a free batch axis, ``max_batch_size`` is ``most_rows``, and
    ``dims`` leave that axis out; else it is 0, and they have all.
    """
    signature = version.signature
    specs = [*signature.inputs, *signature.outputs]
    batched = signature.batch is BatchAxis.FREE and all(spec.shape for spec in specs)
    return {
        "name": version.name,
        "platform": platform_of(version),
        "backend": "tensorflow",
        "version_policy": {"specific": {"versions": [version.version]}},
        "max_batch_size": most_rows if batched else 0,
        "input": [_tensor(spec, batched) for spec in signature.inputs],
        "output": [_tensor(spec, batched) for spec in signature.outputs],
    }


def _tensor(spec: TensorSpec, batched: bool) -> dict[str, Any]:
    datatype = datatype_of(spec)
    shape = (None,) if spec.shape is None else spec.shape[batched:]
    dims = [-1 if size is None else size for size in shape]
    data_type = _TYPES.get(datatype, f"TYPE_{datatype}")
    return {"name": spec.name, "data_type": data_type, "dims": dims}
