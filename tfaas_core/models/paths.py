"""ModelPaths: where models are listed and uploaded, for messages about missing ones."""

from __future__ import annotations

import msgspec

from tfaas_core.errors import UnknownModel


class ModelPaths(msgspec.Struct, frozen=True):
    """``base`` is what the paths begin with; None: they are on another port."""

    base: str | None = ""

    def unknown(self, name: str) -> UnknownModel:
        """The error of who asks for a model that is not there; for the default one: empty."""
        if not name:
            return UnknownModel(f"there is no model yet{self._hint('upload one to', '/upload')}")
        message = f"there is no model {name[:140]!r}{self._hint('see', '/models')}"
        return UnknownModel(message, model=name[:140])

    def _hint(self, what: str, path: str) -> str:
        return "" if self.base is None else f"; {what} {self.base}{path}"


HERE = ModelPaths()
"""At their usual paths."""
