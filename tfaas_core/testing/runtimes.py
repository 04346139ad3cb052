"""The contract of Runtime as tests: each implementation subclasses ``RuntimeContract``."""

from __future__ import annotations

from tfaas_core.testing.runtime_artifacts import ArtifactsContract
from tfaas_core.testing.runtime_case import ModelSample
from tfaas_core.testing.runtime_servables import ServablesContract

__all__ = ["ModelSample", "RuntimeContract"]


class RuntimeContract(ArtifactsContract, ServablesContract):
    """What every Runtime does. Subclass it as ``Test...``, and set its class variables."""
