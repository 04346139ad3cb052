"""The modes of TensorFlow: what it reads once, as it is imported. Imports nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MODES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"onednn": {"TF_ENABLE_ONEDNN_OPTS": "1"}}
)
"""oneDNN is quicker with large convolutions, and computes other last bits."""
