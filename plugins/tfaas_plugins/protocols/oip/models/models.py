"""Models as Triton's clients find them."""

from __future__ import annotations

from tfaas_core.errors import NotFound
from tfaas_core.predict.target import Target
from tfaas_plugins.protocols.served_models import ServedModels


class OipModels(ServedModels):
    """Those of one Host."""

    protocol = "oip"

    def unknown(self, target: Target) -> NotFound:
        version = "" if target.version is None else f" version {target.version}"
        return NotFound(f"Request for unknown model: {target.model[:140]!r}{version} is not found")
