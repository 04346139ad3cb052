"""The contract of Runtime as tests: each implementation subclasses ``RuntimeContract``."""

from __future__ import annotations

from tfaas_core.testing.suites.runtime.artifacts import ArtifactsContract
from tfaas_core.testing.suites.runtime.case import ModelSample
from tfaas_core.testing.suites.runtime.servables import ServablesContract

__all__ = ["ModelSample", "RuntimeContract"]


class RuntimeContract(ArtifactsContract, ServablesContract):
    """What every Runtime does. Subclass it as ``Test...``, and set its class variables."""
