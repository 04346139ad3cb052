"""What the Open Inference Protocol tells of models, and of the server's log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import TensorSpec
from tfaas_plugins.protocols.oip.datatypes import datatype_of

_PLATFORMS = {"saved_model": "tensorflow_savedmodel", "graph": "tensorflow_graphdef"}
_LEVELS = ("info", "warning", "error")


def model_metadata(version: ModelVersion, versions: Iterable[ModelVersion]) -> dict[str, Any]:
    """Of one of ``versions``, which are all. Raises BadBody if a dtype has no datatype."""
    signature = version.signature
    return {
        "name": version.name,
        "versions": [str(each.version) for each in versions],
        "platform": platform_of(version),
        "inputs": [_tensor(spec) for spec in signature.inputs],
        "outputs": [_tensor(spec) for spec in signature.outputs],
    }


def platform_of(version: ModelVersion) -> str:
    """What the protocol calls the runtime of a version."""
    return _PLATFORMS.get(version.runtime, version.runtime)


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    # The protocol has no way to tell that nothing is known of a shape.
    shape = [-1] if spec.shape is None else [-1 if size is None else size for size in spec.shape]
    return {"name": spec.name, "datatype": datatype_of(spec), "shape": shape}


def log_settings(level: str) -> dict[str, Any]:
    """What ``server.log_level`` means in Triton's terms."""
    least = _LEVELS.index(level) if level in _LEVELS else 0
    logged = {f"log_{name}": place >= least for place, name in enumerate(_LEVELS)}
    verbose = 1 if level == "debug" else 0
    return {
        "log_file": "",
        **logged,
        "log_verbose_level": verbose,
        "log_format": "default",
    }
