"""What TensorFlow Serving tells of models: their status, and their metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Signature, TensorSpec
from tfaas_plugins.protocols.tfserving.dtypes import dtype_of

_METHOD = "tensorflow/serving/predict"


def status_document(versions: Sequence[ModelVersion], is_served: bool) -> dict[str, Any]:
    """All ``versions``, the highest first: whatever is stored is served, but what was unloaded."""
    ordered = sorted(versions, key=lambda version: version.version, reverse=True)
    return {
        "model_version_status": [
            {
                "version": str(version.version),
                "state": "AVAILABLE" if is_served else "END",
                "status": {"error_code": "OK", "error_message": ""},
            }
            for version in ordered
        ]
    }


def metadata_document(version: ModelVersion) -> dict[str, Any]:
    """The signatures that the model's file declares; of another file, those that are served."""
    declared = version.declared or {
        name: _definition(signed.signature)
        for name, signed in zip(version.signature_names, version.all_signed, strict=True)
    }
    return {
        "model_spec": {
            "name": version.name,
            "signature_name": "",
            "version": str(version.version),
        },
        "metadata": {"signature_def": {"signature_def": declared}},
    }


def _definition(signature: Signature) -> dict[str, Any]:
    return {
        "inputs": {spec.name: _tensor(spec) for spec in signature.inputs},
        "outputs": {spec.name: _tensor(spec) for spec in signature.outputs},
        "method_name": _METHOD,
        "defaults": {},
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    sizes = () if spec.shape is None else spec.shape
    return {
        "dtype": dtype_of(spec).name,
        "tensor_shape": {
            "dim": [{"size": str(-1 if size is None else size), "name": ""} for size in sizes],
            "unknown_rank": spec.shape is None,
        },
        "name": spec.name if ":" in spec.name else f"{spec.name}:0",
    }
