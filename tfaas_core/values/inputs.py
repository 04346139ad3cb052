"""Which of a model's inputs a request's values are for."""

from __future__ import annotations

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import TensorSpec


def only_input(version: ModelVersion) -> TensorSpec | None:
    """The one input that values are for: all others, if there are any, have defaults."""
    inputs = version.signature.inputs
    needed = [spec for spec in inputs if spec.default is None] if len(inputs) > 1 else inputs
    return needed[0] if len(needed) == 1 else None
