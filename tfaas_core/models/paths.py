"""ModelPaths: where models are listed and uploaded, for messages about missing ones."""

from __future__ import annotations

import msgspec

from tfaas_core.errors import UnknownModel


class ModelPaths(msgspec.Struct, frozen=True):
    """``base`` is what the paths begin with; ``elsewhere``: they are on the port for management."""

    base: str = ""
    elsewhere: bool = False

    def unknown(self, name: str) -> UnknownModel:
        """The error of who asks for a model that is not there; for the default one: empty."""
        if not name:
            return UnknownModel(f"there is no model yet{self._hint('upload one to', '/upload')}")
        message = f"there is no model {name[:140]!r}{self._hint('see', '/models')}"
        return UnknownModel(message, model=name[:140])

    def _hint(self, what: str, path: str) -> str:
        where = " on the port for management (server.admin_port)" if self.elsewhere else ""
        return f"; {what} {self.base}{path}{where}"


HERE = ModelPaths()
"""At their usual paths."""
